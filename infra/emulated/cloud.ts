/**
 * An emulated cloud on loopback: MiniStack, with TLS, with permissions enforced.
 *
 * Whatever is started here is ended here, by its process id: MiniStack, and the functions that a
 * killed MiniStack leaves behind.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { existsSync, mkdtempSync, openSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ACCOUNT = '123456789012';
export const REGION = 'eu-west-1';

/** A running MiniStack. */
export class Cloud {
  private constructor(
    readonly folder: string,
    readonly port: number,
    private readonly process: ChildProcess,
  ) {}

  /** Where its API is. */
  get endpoint(): string {
    return `https://localhost:${this.port}`;
  }

  /** The environment of everything that talks to it; its owner's keys, unless others are given. */
  get environment(): NodeJS.ProcessEnv {
    const certificate = join(this.folder, 'ministack-tls', 'server.crt');
    return {
      PATH: process.env['PATH'],
      HOME: this.folder,
      AWS_ENDPOINT_URL: this.endpoint,
      AWS_REGION: REGION,
      AWS_DEFAULT_REGION: REGION,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_CA_BUNDLE: certificate,
      NODE_EXTRA_CA_CERTS: certificate,
      SSL_CERT_FILE: certificate,
      NO_PROXY: 'localhost,127.0.0.1',
      CDK_DEFAULT_ACCOUNT: ACCOUNT,
      CDK_DEFAULT_REGION: REGION,
      CDK_DISABLE_VERSION_CHECK: 'true',
      CDK_DISABLE_CLI_TELEMETRY: 'true',
    };
  }

  /** Starts it; `program` is `ministack` of a Python environment of its own. */
  static async start(program: string): Promise<Cloud> {
    const folder = mkdtempSync(join(tmpdir(), 'pitpet-cloud-'));
    const port = await freePort();
    const certificate = join(folder, 'ministack-tls', 'server.crt');
    const log = openSync(join(folder, 'log'), 'w');
    const child = spawn(program, [], {
      cwd: folder,
      stdio: ['ignore', log, log],
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        TMPDIR: folder,
        AUTH: 'true',
        USE_SSL: '1',
        BIND_HOST: '127.0.0.1',
        GATEWAY_PORT: String(port),
        MINISTACK_REGION: REGION,
        MINISTACK_ACCOUNT_ID: ACCOUNT,
        AWS_ENDPOINT_URL: `https://localhost:${port}`,
        SSL_CERT_FILE: certificate,
      },
    });
    const cloud = new Cloud(folder, port, child);
    for (let tries = 0; ; tries += 1) {
      if (existsSync(certificate) && answers(cloud.endpoint, certificate)) return cloud;
      if (child.exitCode !== null || tries > 1_800) {
        const text = readFileSync(join(folder, 'log'), 'utf8');
        await cloud.stop();
        throw new Error(`MiniStack does not start:\n${text.slice(-2_000)}`);
      }
      await pause(100);
    }
  }

  /** What it logged. */
  log(): string {
    return readFileSync(join(this.folder, 'log'), 'utf8');
  }

  /** Addresses that it and its functions listen on, as `/proc/net/tcp` writes them: `0100007F:1F90`. */
  listening(): string[] {
    const inodes = new Set(this.running().flatMap(sockets));
    return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) =>
      readFileSync(table, 'utf8')
        .split('\n')
        .slice(1)
        .map((line) => line.trim().split(/\s+/))
        // State 0A is LISTEN.
        .filter(([, , , state, , , , , , inode]) => state === '0A' && inodes.has(inode ?? ''))
        .map(([, local]) => local ?? ''),
    );
  }

  /** Ends it and every function that it started; an error if one of them is left. */
  async stop(): Promise<void> {
    for (let tries = 0, left = this.running(); left.length > 0; tries += 1, left = this.running()) {
      if (tries > 100) throw new Error(`still running: ${left.join(', ')}`);
      for (const pid of left) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended by itself.
        }
      }
      await pause(50);
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  private running(): number[] {
    const root = this.process.pid ?? 0;
    const mine = new Set([root, ...descendants(root), ...bootstraps(this.folder)]);
    return processes()
      .filter(({ pid, state }) => mine.has(pid) && state !== 'Z')
      .map(({ pid }) => pid);
  }
}

/** Waits, without looking at anything: only between two looks of a loop that has an end. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function answers(endpoint: string, certificate: string): boolean {
  try {
    execFileSync('curl', ['-s', '-o', '/dev/null', '--cacert', certificate, `${endpoint}/_ministack/health`]);
    return true;
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** Every process with its parent and state: a zombie's is `Z`. */
function processes(): { pid: number; parent: number; state: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return [{ pid: Number(name), parent: Number(parent), state: state ?? '' }];
      } catch {
        return [];
      }
    });
}

/** Inodes of a process's open sockets. */
function sockets(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

function descendants(root: number): number[] {
  const all = processes();
  const found: number[] = [];
  let parents = [root];
  while (parents.length > 0) {
    const children = all.filter((of) => parents.includes(of.parent)).map((of) => of.pid);
    found.push(...children);
    parents = children;
  }
  return found;
}

/** Functions that were unpacked in this folder, whoever is their parent now. */
function bootstraps(folder: string): number[] {
  return processes()
    .map(({ pid }) => pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`LAMBDA_TASK_ROOT=${folder}`);
      } catch {
        return false;
      }
    });
}
