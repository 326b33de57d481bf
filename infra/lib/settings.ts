/**
 * The settings of a stage, in one table. `README.md` shows it with the reasons; a stage is chosen
 * by `-c stage=…`, a single setting by `-c NAME=…`.
 */
import type { App } from 'aws-cdk-lib';

/** CPU architecture of the functions. */
export type Arch = 'arm64' | 'x86_64';

/** What differs between stages. */
export interface Settings {
  /** Name of the stage; part of every stack's name. */
  readonly stage: string;
  /** Must be the one that the bundle was made for. */
  readonly arch: Arch;
  /** Whether the table refuses to be deleted. */
  readonly deletionProtection: boolean;
  /** Batches that the event source mapping has in flight: at least 2, Lambda's lower limit. */
  readonly minersMax: number;
  /** Requests a second that the HTTP API lets in, in the long run. */
  readonly requestsPerSecond: number;
  /** Requests that it lets in at once. */
  readonly requestsBurst: number;
  /** Days that logs are kept; one of CloudWatch's values. */
  readonly logDays: number;
  /** Minutes between two runs of the reaper. */
  readonly reaperMinutes: number;
  /** X-Ray traces of the functions. */
  readonly tracing: boolean;
  /** Origins, besides CloudFront's own, whose pages may call the API and upload photos. */
  readonly origins: readonly string[];
  /** Whom to write to when an alarm goes off; empty: nobody. */
  readonly alarmEmail: string;
  /** Public address of the pages, as https://pets.example.org; empty: what the API is called by. */
  readonly siteUrl: string;
  /** ARN of the certificate of that address, which then leads to CloudFront; empty: CloudFront's own. */
  readonly certificate: string;
  /** Words of a post or of a name that it is found by, 0 to 12: each makes the buckets of words longer. */
  readonly searchWords: number;
  /** Host name that the API is called by, for an emulator; empty: AWS's. */
  readonly apiHost: string;
}

const STAGES: Readonly<Record<string, Omit<Settings, 'stage'>>> = {
  dev: {
    arch: 'arm64',
    deletionProtection: false,
    minersMax: 2,
    requestsPerSecond: 50,
    requestsBurst: 100,
    logDays: 7,
    reaperMinutes: 5,
    tracing: false,
    origins: [],
    alarmEmail: '',
    siteUrl: '',
    certificate: '',
    searchWords: 12,
    apiHost: '',
  },
  prod: {
    arch: 'arm64',
    deletionProtection: true,
    minersMax: 50,
    requestsPerSecond: 1_000,
    requestsBurst: 2_000,
    logDays: 90,
    reaperMinutes: 5,
    tracing: false,
    origins: [],
    alarmEmail: '',
    siteUrl: '',
    certificate: '',
    searchWords: 12,
    apiHost: '',
  },
};

/** CloudWatch's values for the retention of logs that make sense here. */
const LOG_DAYS: readonly number[] = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731];

/** Reads the settings from the app's context. A wrong one is named with its limit. */
export function settings(app: App): Settings {
  const stage = text(app, 'stage', 'dev');
  const base = STAGES[stage];
  if (base === undefined) {
    throw new Error(`-c stage=${stage}: the stages are ${Object.keys(STAGES).join(' and ')}`);
  }
  const arch = text(app, 'arch', base.arch);
  if (arch !== 'arm64' && arch !== 'x86_64') {
    throw new Error(`-c arch=${arch}: it is arm64 or x86_64`);
  }
  const logDays = number(app, 'logDays', base.logDays, 1, 731);
  if (!LOG_DAYS.includes(logDays)) {
    throw new Error(`-c logDays=${logDays}: CloudWatch takes ${LOG_DAYS.join(', ')}`);
  }
  const origins = text(app, 'origins', base.origins.join(',')).split(',').filter((origin) => origin !== '');
  for (const origin of origins) {
    if (!/^https?:\/\/[a-z0-9.-]+(:\d+)?$/.test(origin)) {
      throw new Error(`-c origins: ${origin} is no origin, such as https://pets.example.org`);
    }
  }
  const siteUrl = text(app, 'siteUrl', base.siteUrl);
  if (siteUrl !== '' && !/^https:\/\/[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(siteUrl)) {
    throw new Error(`-c siteUrl=${siteUrl}: it is https:// and a host, such as https://pets.example.org`);
  }
  const certificate = text(app, 'certificate', base.certificate);
  if (certificate !== '' && !/^arn:[a-z-]+:acm:us-east-1:\d{12}:certificate\/[a-z0-9-]+$/.test(certificate)) {
    throw new Error(`-c certificate=${certificate}: it is the ARN of a certificate in us-east-1, where CloudFront looks`);
  }
  if (certificate !== '' && siteUrl === '') {
    throw new Error('-c certificate is that of siteUrl, which is not given');
  }
  return {
    stage,
    arch,
    deletionProtection: flag(app, 'deletionProtection', base.deletionProtection),
    minersMax: number(app, 'minersMax', base.minersMax, 2, 1_000),
    requestsPerSecond: number(app, 'requestsPerSecond', base.requestsPerSecond, 1, 10_000),
    requestsBurst: number(app, 'requestsBurst', base.requestsBurst, 1, 5_000),
    logDays,
    reaperMinutes: number(app, 'reaperMinutes', base.reaperMinutes, 1, 60),
    tracing: flag(app, 'tracing', base.tracing),
    origins,
    alarmEmail: text(app, 'alarmEmail', base.alarmEmail),
    siteUrl,
    certificate,
    searchWords: number(app, 'searchWords', base.searchWords, 0, 12),
    apiHost: text(app, 'apiHost', base.apiHost),
  };
}

function text(app: App, name: string, otherwise: string): string {
  const value: unknown = app.node.tryGetContext(name);
  return value === undefined ? otherwise : String(value);
}

function number(app: App, name: string, otherwise: number, least: number, most: number): number {
  const value = Number(text(app, name, String(otherwise)));
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`-c ${name}: it is a whole number from ${least} to ${most}`);
  }
  return value;
}

function flag(app: App, name: string, otherwise: boolean): boolean {
  const value = text(app, name, String(otherwise));
  if (value !== 'true' && value !== 'false') {
    throw new Error(`-c ${name}=${value}: it is true or false`);
  }
  return value === 'true';
}
