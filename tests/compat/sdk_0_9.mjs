// Drives SDK 0.9's public API: `node sdk_0_9.mjs CASE`. It starts the executor of MXC_BIN_DIR, but for spawnSandboxAsync, which
// loads the library of MXC_FFI_DIR.
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';

const sdk = await import(pathToFileURL(path.join(process.env.MXC_SDKS, 'sdk-0.9/dist/index.js')));
const policy = { version: '0.9.0-alpha', filesystem: { readonlyPaths: ['/usr'] } };

function child(commandLine, fields = {}) {
  const { process: more, ...others } = fields;
  const started = sdk.spawnSandboxFromConfig(
    { version: '0.9.0-alpha', process: { commandLine, ...more }, ...others }, { usePty: false });
  const ended = { out: '', err: '' };
  started.stdout.on('data', (data) => (ended.out += data));
  started.stderr.on('data', (data) => (ended.err += data));
  ended.code = new Promise((done) => started.on('close', (code, signal) => done(code ?? signal)));
  return { started, ended };
}

const cases = {
  async support() {
    const support = sdk.getPlatformSupport();
    assert.equal(support.isSupported, true);
    assert.ok(support.availableMethods.includes('bubblewrap'));
  },

  async executor() {
    const { started, ended } = child('cat; echo err >&2; exit 5');
    started.stdin.end('in');
    assert.equal(await ended.code, 5);
    assert.deepEqual([ended.out, ended.err], ['in', 'err\n']);
    const late = child('sleep 60', { process: { timeout: 300 } }).ended;
    assert.equal(await late.code, 255);
    const last = late.err.trimEnd().split('\n').at(-1);
    assert.equal(JSON.parse(last).error.message, 'script timed out after 300ms');
  },

  async kill() {
    const { started, ended } = child('echo up; sleep 60');
    await new Promise((done) => started.stdout.once('data', done));
    started.kill();
    assert.ok([143, 'SIGTERM'].includes(await ended.code), String(await ended.code));
  },

  async terminal() {
    const terminal = sdk.spawnSandbox('stty size; test -t 0 && test -t 2 && echo all; exit 4', policy, { ptyOptions: { rows: 33, cols: 99 } });
    let seen = '';
    terminal.onData((data) => (seen += data));
    const end = await new Promise((done) => terminal.onExit(done));
    assert.equal(end.exitCode, 4);
    assert.match(seen, /33 99\r\nall\r\n/);
  },

  async in_process() {
    assert.deepEqual(await sdk.spawnSandboxAsync('echo hi; exit 3', policy), { stdout: 'hi\n', stderr: '', exitCode: 3 });
    assert.deepEqual(await sdk.spawnSandboxAsync('pwd', policy, {}, '/usr'), { stdout: '/usr\n', stderr: '', exitCode: 0 });
    const late = await sdk.spawnSandboxAsync('sleep 60', { ...policy, timeoutMs: 300 }).catch((error) => error);
    assert.equal(late.code, 'backend_error');
    const old = await sdk.spawnSandboxAsync('true', { version: '0.6.0-alpha', filesystem: { deniedPaths: ['/usr/share'] } });
    assert.equal(old.exitCode, 0);
  },

  async fifty_at_once() {
    const all = await Promise.all([...Array(50).keys()].map((n) => sdk.spawnSandboxAsync(`echo ${n}`, policy)));
    all.forEach((done, n) => assert.equal(done.stdout, `${n}\n`));
  },
};

await cases[process.argv[2]](...process.argv.slice(3));
console.log('done');
