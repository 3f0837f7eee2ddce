// Pages work without this file. With it they keep themselves fresh, and times are shown in the browser's own zone.
'use strict';

(() => {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const zone = document.getElementById('zone');
  if (zone && own && !document.cookie.split('; ').some((part) => part.startsWith('zone='))) {
    document.cookie = `zone=${encodeURIComponent(own)}; path=/; max-age=34560000; samesite=strict`;
    if (zone.value !== own) location.reload();
  }

  // Parts marked data-live are replaced when the ledger's figures change; what somebody has opened or is typing stays.
  const parts = () => [...document.querySelectorAll('[data-live]')];
  const busy = (part) => part.contains(document.activeElement) && !part.dataset.poll;
  let waiting = false;
  const refresh = async () => {
    if (waiting || document.hidden) return;
    waiting = true;
    try {
      const reply = await fetch(location.href, { headers: { Accept: 'text/html' } });
      if (!reply.ok || reply.redirected) return;
      const fresh = new DOMParser().parseFromString(await reply.text(), 'text/html');
      const others = [...fresh.querySelectorAll('[data-live]')];
      parts().forEach((part, place) => {
        const other = others[place];
        if (other && !busy(part) && other.innerHTML !== part.innerHTML) {
          part.replaceChildren(...document.importNode(other, true).childNodes);
        }
      });
    } catch { /* the next event tries again */ } finally { waiting = false; }
  };
  if (parts().length && 'EventSource' in window) {
    const events = new EventSource('/live');
    events.addEventListener('changed', refresh);
    document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });
    window.addEventListener('pagehide', () => events.close());
  }

  const polled = document.querySelector('[data-poll]');
  if (polled) {
    const timer = setInterval(async () => {
      await refresh();
      if (!document.querySelector('[data-poll] form')) clearInterval(timer);
    }, Number(polled.dataset.poll));
  }

  for (const button of document.querySelectorAll('[data-copy]')) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = 'Copied';
    });
  }

  if (document.querySelector('[data-try-again]')) {
    const timer = setInterval(async () => {
      try { if ((await fetch(location.href)).ok) { clearInterval(timer); location.reload(); } } catch { /* not yet */ }
    }, 3000);
  }
})();
