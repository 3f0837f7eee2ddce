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
      parts().forEach((part) => {
        const other = fresh.getElementById(part.id);
        if (other && !busy(part) && other.innerHTML !== part.innerHTML) {
          part.replaceChildren(...document.importNode(other, true).childNodes);
        }
      });
      offerCopies();
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
      if (document.querySelector('[data-over]')) clearInterval(timer);
    }, Number(polled.dataset.poll));
  }

  const offerCopies = () => {
    if (!navigator.clipboard) return;
    for (const button of document.querySelectorAll('[data-copy]')) button.hidden = false;
  };
  offerCopies();
  document.addEventListener('click', async (event) => {
    const button = event.target.closest('[data-copy]');
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = 'Copied';
  });

  if (document.querySelector('[data-try-again]')) {
    const timer = setInterval(async () => {
      try { if ((await fetch(location.href)).ok) { clearInterval(timer); location.reload(); } } catch { /* not yet */ }
    }, 3000);
  }
})();
