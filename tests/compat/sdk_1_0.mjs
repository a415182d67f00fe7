// Drives SDK 1.0's public API: `node sdk_1_0.mjs CASE`. The library and the executor are those that MXC_FFI_DIR and MXC_BIN_DIR name.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';

const sdk = await import(pathToFileURL(path.join(process.env.MXC_SDKS, 'sdk-1.0/dist/v1/index.js')));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function collect(stream) {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

async function refused(code, call) {
  const error = await call().then(() => assert.fail('it ran'), (failure) => failure);
  assert.ok(error instanceof sdk.MxcError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

const cases = {
  async support() {
    const support = sdk.getPlatformSupport();
    assert.equal(support.isSupported, true);
    assert.ok(support.availableMethods.includes('bubblewrap'));
    // What our lxc-exec says, not theirs.
    assert.ok(support.bubblewrapNetwork.proxyEnforcement === 'supported' || !support.bubblewrapNetwork.warnings[0].includes('slirp4netns'));
    assert.deepEqual(sdk.getAvailableBackends().map((one) => one.backend), ['bubblewrap', 'lxc']);
    assert.equal((await sdk.getTelemetryConsentStatus()).effectiveState, 'not-applicable');
  },

  async one_shot() {
    const done = await sdk.run({ command: 'echo out; echo err >&2; exit 3' });
    assert.deepEqual([done.exitCode, done.stdout, done.stderr, done.timedOut, done.warnings], [3, 'out\n', 'err\n', false, []]);
    assert.equal((await sdk.run({ command: 'kill -9 $$' })).exitCode, 137);
    assert.equal((await sdk.run({ command: 'cat /proc/1/comm' })).stdout, 'bwrap\n');
    const env = await sdk.run({ command: 'echo $A $PATH', environment: { A: '1=2' }, inheritDefaultEnvironment: true });
    assert.match(env.stdout, /^1=2 .*:\/usr\/bin/);
    assert.equal((await sdk.run({ command: 'pwd', workingDirectory: '/usr' })).stdout, '/usr\n');
  },

  async files(work) {
    const denied = await sdk.run({
      command: `cat ${work}/secret; echo new >${work}/new; cat ${work}/new; echo x >${work}/ro/x`,
      filesystem: { readwritePaths: [work], readonlyPaths: [`${work}/ro`], deniedPaths: [`${work}/secret`] },
    });
    assert.equal(denied.stdout, 'new\n');
    assert.match(denied.stderr, /secret: Permission denied/);
    assert.match(denied.stderr, /ro\/x: (Read-only file system|Permission denied)/);
  },

  async refusals() {
    await refused('unsupported_containment', () => sdk.run({ command: 'true', containment: { type: 'wslc' } }));
    await refused('unsupported_containment', () => sdk.spawn({ command: 'true', containment: { type: 'seatbelt' } }));
    await refused('malformed_request', () => sdk.run({ command: 'a\0b' }));
    const error = await refused('backend_error', () => sdk.run({ command: 'true', ui: { clipboard: 'all', disable: true } }));
    assert.match(error.message, /\/ui\/clipboard/);
    assert.ok(error.remediation);
  },

  async streams() {
    const process = await sdk.spawn({ command: 'read a; echo got $a; cat >&2; exit 7' });
    assert.ok(process.id > 1);
    const out = collect(process.standardOutput), err = collect(process.standardError);
    process.standardInput.write('one\n');
    await sleep(100);
    process.standardInput.end('two');
    assert.deepEqual(await process.wait(), { exitCode: 7, timedOut: false });
    assert.deepEqual([await out, await err], ['got one\n', 'two']);
  },

  async terminal() {
    const process = await sdk.spawnWithPty({ command: 'stty size; read a; stty size; test -t 2 && echo all' }, { size: { rows: 33, columns: 99 } });
    let seen = '';
    process.standardOutput.on('data', (data) => (seen += data));
    while (!seen.includes('33 99')) await sleep(10);
    process.resize({ rows: 10, columns: 20 });
    process.standardInput.write('x\r');
    assert.deepEqual(await process.wait(), { exitCode: 0, timedOut: false });
    assert.equal(seen, '33 99\r\nx\r\n10 20\r\nall\r\n');
  },

  async time_out() {
    const done = await sdk.run({ command: 'echo begun; sleep 60', timeoutMs: 400 });
    assert.deepEqual([done.exitCode, done.timedOut, done.stdout], [-1, true, 'begun\n']);
    const process = await sdk.spawn({ command: 'sleep 60', timeoutMs: 400 });
    assert.deepEqual(await process.wait(), { exitCode: -1, timedOut: true });
  },

  async kill() {
    const process = await sdk.spawn({ command: "trap '' TERM; echo up; sleep 60 & wait; sleep 60" });
    await new Promise((done) => process.standardOutput.once('data', done));
    const begin = performance.now();
    process.kill();
    assert.deepEqual(await process.wait(), { exitCode: 137, timedOut: false });
    assert.ok(performance.now() - begin < 5000);
    // Given up, not waited for.
    const other = await sdk.spawn({ command: 'sleep 60' });
    other.dispose();
  },

  async large_outputs() {
    const done = await sdk.run({ command: "head -c 20000000 /dev/zero | tr '\\0' x" });
    assert.equal(done.stdout.length, 20000000);
    const process = await sdk.spawn({ command: 'head -c 50000000 /dev/zero' });
    let size = 0;
    process.standardOutput.on('data', (data) => (size += data.length));
    const ended = new Promise((done) => process.standardOutput.on('end', done));
    assert.equal((await process.wait()).exitCode, 0);
    await ended;
    assert.equal(size, 50000000);
  },

  async fifty_at_once() {
    const all = await Promise.all([...Array(50).keys()].map((n) => sdk.run({ command: `echo ${n}; exit ${n}` })));
    all.forEach((done, n) => assert.deepEqual([done.exitCode, done.stdout], [n, `${n}\n`]));
    const spawned = await Promise.all([...Array(50).keys()].map((n) => sdk.spawn({ command: `cat; exit ${n}` })));
    const outputs = spawned.map((process) => collect(process.standardOutput));
    spawned.forEach((process, n) => process.standardInput.end(`${n}`));
    const ends = await Promise.all(spawned.map((process) => process.wait()));
    ends.forEach((end, n) => assert.equal(end.exitCode, n));
    (await Promise.all(outputs)).forEach((text, n) => assert.equal(text, `${n}`));
  },

  // The loop turns while a program runs.
  async asynchronous() {
    let turns = 0;
    const timer = setInterval(() => ++turns, 5);
    await sdk.run({ command: 'sleep 0.5' });
    clearInterval(timer);
    assert.ok(turns > 30, `${turns} turns of the loop`);
  },

  async lifecycle_without_mxcd() {
    const error = await refused('backend_unavailable', () => sdk.provisionContainer({ containment: 'wslc' }));
    assert.match(error.message + error.remediation, /mxcd/);
  },

  // With an mxcd: a container's whole life.
  async lifecycle(work) {
    const files = { filesystem: { readwritePaths: [work], deniedPaths: [path.join(work, 'secret')] } };
    assert.deepEqual(await sdk.validateProvision({ containment: 'wslc', ...files }), { warnings: [] });
    await refused('policy_validation', () => sdk.validateProvision({ containment: 'wslc', filesystem: { readonlyPaths: ['/no/such'] } }));
    await refused('policy_validation', () => sdk.provisionContainer({ containment: 'wslc', filesystem: { readonlyPaths: ['/no/such'] } }));
    const { containerId: id, warnings } = await sdk.provisionContainer({ containment: 'wslc', ...files });
    assert.match(id, /^wslc:/);
    assert.deepEqual(warnings, []);
    await refused('not_started', () => sdk.runInContainer(id, { command: 'true' }));
    await refused('already_stopped', () => sdk.stopContainer(id));
    await sdk.startContainer(id);
    await refused('already_started', () => sdk.startContainer(id));

    const run = (command, more) => sdk.runInContainer(id, { command, ...more });
    const done = await run('echo out; echo err >&2; echo kept > /tmp/kept; exit 3');
    assert.deepEqual([done.exitCode, done.stdout, done.stderr, done.timedOut], [3, 'out\n', 'err\n', false]);
    assert.equal((await run('cat /tmp/kept')).stdout, 'kept\n');
    assert.equal((await run('kill -9 $$')).exitCode, 137);
    const denied = await run(`cat ${work}/secret; echo a > ${work}/new`);
    assert.match(denied.stderr, /secret: Permission denied/);
    assert.equal((await run('pwd', { workingDirectory: '/usr' })).stdout, '/usr\n');
    assert.equal((await run('echo $A $B $TERM', { environment: { A: '1', B: 'x=y' } })).stdout, '1 x=y\n');
    assert.match((await run('echo $A $PATH', { environment: { A: '1' }, inheritDefaultEnvironment: true })).stdout, /^1 .*:\/usr\/bin/);
    const late = await run('echo begun; sleep 60', { timeoutMs: 400 });
    assert.deepEqual([late.timedOut, late.stdout], [true, 'begun\n']);
    await refused('policy_validation', () => run('true', { network: { runtimeConfig: { networkProxy: 'http://127.0.0.1:1' } } }));

    const cat = await sdk.spawnInContainer(id, { command: 'cat; exit 4' });
    cat.standardInput.end('typed');
    assert.equal(await collect(cat.standardOutput), 'typed');
    assert.equal((await cat.wait()).exitCode, 4);
    const sleeper = await sdk.spawnInContainer(id, { command: 'exec sleep 4244' });
    await sleeper.kill();
    assert.equal((await sleeper.wait()).exitCode, 137);
    const all = await Promise.all([...Array(20).keys()].map((n) => run(`echo ${n}; exit ${n}`)));
    all.forEach((one, n) => assert.deepEqual([one.exitCode, one.stdout], [n, `${n}\n`]));

    const terminal = await sdk.spawnInContainerWithPty(id, { command: 'stty size; read a; stty size; test -t 2 && echo all; exit 5' }, { size: { rows: 33, columns: 99 } });
    let seen = '';
    terminal.standardOutput.on('data', (data) => (seen += data));
    while (!seen.includes('33 99')) await sleep(10);
    terminal.resize({ rows: 10, columns: 20 });
    await sleep(300);
    terminal.standardInput.write('x\r');
    assert.deepEqual(await terminal.wait(), { exitCode: 5, timedOut: false });
    assert.equal(seen, '33 99\r\nx\r\n10 20\r\nall\r\n');

    assert.deepEqual(await sdk.validateProcess(id, { command: 'true' }), { warnings: [] });
    await sdk.stopContainer(id);
    await refused('not_started', () => run('true'));
    await sdk.startContainer(id);
    assert.equal((await run('cat /tmp/kept 2>/dev/null || echo new')).stdout, 'new\n');
    await sdk.deprovisionContainer(id);
    await refused('stale_id', () => sdk.startContainer(id));
    await refused('stale_id', () => run('true'));
    await refused('stale_id', () => sdk.deprovisionContainer(id));
    await refused('malformed_id', () => sdk.stopContainer('nix:1'));
  },

  // Steady memory, descriptors and threads over many runs in one process.
  async soak(runs) {
    const look = () => ({
      descriptors: readdirSync('/proc/self/fd').length,
      threads: readdirSync('/proc/self/task').length,
      resident: process.memoryUsage().rss,
    });
    let before;
    for (let n = 0; n < Number(runs); n += 10) {
      await Promise.all([...Array(8).keys()].map((i) => sdk.run({ command: i === 0 ? 'head -c 100000 /dev/zero' : 'true' })));
      const one = await sdk.spawn({ command: 'cat' });
      one.standardInput.end('x');
      await one.wait();
      await refused('malformed_request', () => sdk.run({ command: 'a\0b' }));
      if (n === Math.floor(runs / 20) * 10) {
        globalThis.gc();
        before = look();
      }
    }
    globalThis.gc();
    await sleep(200);
    const after = look();
    console.log(JSON.stringify({ before, after }));
    assert.ok(after.descriptors <= before.descriptors + 2, 'descriptors');
    assert.ok(after.threads <= before.threads + 1, 'threads');
    assert.ok(after.resident < before.resident * 1.25 + 8e6, 'memory');
  },
};

await cases[process.argv[2]](...process.argv.slice(3));
console.log('done');
