/** What no tool catches: see each test's name for the fault that it finds. */
import { chmodSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { site } from '../lib/site.js';
import { type Properties, app, emptyBundle, one, resources, templates } from './stacks.js';

const made = templates();
const { data, pipeline, edge, observability } = made;

describe('the data outlives its stack', () => {
  test.each(['AWS::DynamoDB::Table', 'AWS::S3::Bucket', 'AWS::SecretsManager::Secret'])('%s', (type) => {
    const all = Object.values(data.findResources(type)) as Properties[];
    expect(all.length).toBeGreaterThan(0);
    for (const found of all) {
      expect(found['DeletionPolicy']).toBe('Retain');
      expect(found['UpdateReplacePolicy']).toBe('Retain');
    }
  });

  test('the table has the key that the adapter writes, and no attribute defined that no key uses', () => {
    const table = one(data, 'AWS::DynamoDB::Table');
    expect(table['KeySchema']).toEqual([
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ]);
    expect(table['AttributeDefinitions']).toEqual([
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'sk', AttributeType: 'S' },
    ]);
    expect(table['BillingMode']).toBe('PAY_PER_REQUEST');
    expect(table['TimeToLiveSpecification']).toEqual({ AttributeName: 'ttl', Enabled: true });
    expect(table['PointInTimeRecoverySpecification']).toEqual({ PointInTimeRecoveryEnabled: true });
    expect(table['StreamSpecification']).toEqual({ StreamViewType: 'NEW_AND_OLD_IMAGES' });
  });

  test('in prod it can\'t be deleted by mistake', () => {
    const { data: prod } = templates({ stage: 'prod' });
    expect(one(prod, 'AWS::DynamoDB::Table')['DeletionProtectionEnabled']).toBe(true);
  });

  test('the bucket is private and speaks TLS only', () => {
    const bucket = one(data, 'AWS::S3::Bucket');
    expect(bucket['PublicAccessBlockConfiguration']).toEqual({
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    });
    expect(bucket['LifecycleConfiguration'].Rules).toEqual([
      {
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
        Id: 'aborted-uploads',
        Status: 'Enabled',
      },
    ]);
    const statements = one(data, 'AWS::S3::BucketPolicy')['PolicyDocument'].Statement as Properties[];
    const denied = statements.filter((statement) => statement['Effect'] === 'Deny');
    expect(denied).toContainEqual(
      expect.objectContaining({
        Action: 's3:*',
        Principal: { AWS: '*' },
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    );
    const allowed = statements.filter((statement) => statement['Effect'] === 'Allow');
    expect(allowed).toHaveLength(1);
    expect(allowed[0]).toMatchObject({
      Action: 's3:GetObject',
      Principal: { Service: 'cloudfront.amazonaws.com' },
      Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
    });
    expect(JSON.stringify(allowed[0]!['Resource'])).toContain('/media/*');
  });

  test('a key is 64 hexadecimal digits: 32 random bytes', () => {
    const secrets = resources(data, 'AWS::SecretsManager::Secret');
    expect(secrets).toHaveLength(6);
    for (const [, secret] of secrets) {
      const { PasswordLength, ExcludeCharacters, ...rest } = secret['GenerateSecretString'] as Properties;
      expect(PasswordLength).toBe(64);
      const visible = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index));
      const left = visible.filter((character) => !ExcludeCharacters.includes(character));
      expect(left.join('')).toBe('0123456789abcdef');
      expect(rest).toEqual({ RequireEachIncludedType: false });
    }
  });
});

describe('queue and event source', () => {
  const queue = one(pipeline, 'AWS::SQS::Queue', 'Queue');
  const dead = one(pipeline, 'AWS::SQS::Queue', 'DeadLetters');
  const mapping = one(pipeline, 'AWS::Lambda::EventSourceMapping');
  const miner = one(pipeline, 'AWS::Lambda::Function', 'Miner');

  test('the dead-letter queue of a FIFO queue is FIFO, and keeps longest', () => {
    expect(queue['FifoQueue']).toBe(true);
    expect(dead['FifoQueue']).toBe(true);
    expect(queue['RedrivePolicy'].deadLetterTargetArn).toEqual({
      'Fn::GetAtt': [resources(pipeline, 'AWS::SQS::Queue').find(([id]) => id.startsWith('DeadLetters'))![0], 'Arn'],
    });
    expect(dead['MessageRetentionPeriod']).toBe(14 * 86_400);
    expect(dead['MessageRetentionPeriod']).toBeGreaterThan(queue['MessageRetentionPeriod']);
  });

  test('limits count for each kennel', () => {
    expect(queue['DeduplicationScope']).toBe('messageGroup');
    expect(queue['FifoThroughputLimit']).toBe('perMessageGroupId');
  });

  test('a message is hidden for at least six times the function\'s timeout', () => {
    expect(queue['VisibilityTimeout']).toBeGreaterThanOrEqual(6 * miner['Timeout']);
  });

  test('a message has all its receives before it is too old to be kept', () => {
    const receives = queue['RedrivePolicy'].maxReceiveCount as number;
    // Followers burn receives with a failed message; AWS says at least 5.
    expect(receives).toBeGreaterThanOrEqual(5);
    expect(receives * queue['VisibilityTimeout']).toBeLessThan(queue['MessageRetentionPeriod']);
  });

  test('one message\'s failure is not the batch\'s', () => {
    expect(mapping['FunctionResponseTypes']).toEqual(['ReportBatchItemFailures']);
  });

  test('a FIFO source has no batching window and at most 10 messages', () => {
    expect(mapping['BatchSize']).toBe(10);
    expect(mapping['MaximumBatchingWindowInSeconds']).toBeUndefined();
  });

  test('concurrency is bounded at the source, and none is reserved: a new account may have 10', () => {
    expect(mapping['ScalingConfig']).toEqual({ MaximumConcurrency: 2 });
    for (const [, found] of resources(pipeline, 'AWS::Lambda::Function')) {
      expect(found['ReservedConcurrentExecutions']).toBeUndefined();
    }
  });
});

describe('functions', () => {
  test('run on provided.al2023, for the chosen architecture', () => {
    for (const [arch, architecture] of [
      ['arm64', 'arm64'],
      ['x86_64', 'x86_64'],
    ] as const) {
      const { pipeline: chosen } = templates({ arch });
      const functions = resources(chosen, 'AWS::Lambda::Function');
      expect(functions).toHaveLength(4);
      for (const [, found] of functions) {
        expect(found['Runtime']).toBe('provided.al2023');
        expect(found['Architectures']).toEqual([architecture]);
        expect(found['LoggingConfig'].LogFormat).toBe('JSON');
      }
    }
  });

  test('are told what they read from the environment, and no key in the clear', () => {
    const told = (prefix: string): string[] =>
      Object.keys(one(pipeline, 'AWS::Lambda::Function', prefix)['Environment'].Variables).sort();
    const all = ['PITPET_FUNCTION', 'PITPET_OBJECTS', 'PITPET_STAGE', 'PITPET_TABLE', 'RUST_LOG'];
    expect(told('Ingest')).toEqual([...all, 'PITPET_EDGE_SECRET', 'PITPET_QUEUE_URL', 'PITPET_SIGN_IN_SECRET'].sort());
    expect(told('Miner')).toEqual(
      [
        ...all,
        'PITPET_ARTEFACTS',
        'PITPET_CHECKPOINT_KEY_SECRET',
        'PITPET_DEAD_LETTER_QUEUE_URL',
        'PITPET_QUEUE_URL',
        'PITPET_SEARCH_WORDS',
      ].sort(),
    );
    expect(told('Reaper')).toEqual([...all, 'PITPET_HOUSE_KEY_SECRET', 'PITPET_QUEUE_URL', 'PITPET_SEARCH_WORDS'].sort());
    expect(told('Query')).toEqual(all.sort());
    expect(JSON.stringify(pipeline.toJSON())).not.toContain('{{resolve:secretsmanager');
  });

  test('and the code reads each of these variables', () => {
    const read = (path: string): string => readFileSync(join(import.meta.dirname, '../..', path), 'utf8');
    const source = [
      'crates/aws/src/environment.rs',
      'crates/aws/src/metrics.rs',
      'functions/miner/src/lib.rs',
    ]
      .map(read)
      .join('\n');
    for (const name of [
      'PITPET_ARTEFACTS',
      'PITPET_CHECKPOINT_KEY_SECRET',
      'PITPET_DEAD_LETTER_QUEUE_URL',
        'PITPET_QUEUE_URL',
      'PITPET_EDGE_SECRET',
      'PITPET_HOUSE_KEY_SECRET',
      'PITPET_OBJECTS',
      'PITPET_QUEUE_URL',
      'PITPET_SEARCH_WORDS',
      'PITPET_SIGN_IN_SECRET',
      'PITPET_SITE_URL',
      'PITPET_STAGE',
      'PITPET_TABLE',
    ]) {
      expect(source).toContain(`"${name}"`);
    }
  });

  test('the pages are told their address, if it is known', () => {
    const { pipeline: named } = templates({ siteUrl: 'https://pets.example.org' });
    const told = one(named, 'AWS::Lambda::Function', 'Query')['Environment'].Variables;
    expect(told['PITPET_SITE_URL']).toBe('https://pets.example.org');
  });

  test('wait no longer than API Gateway does', () => {
    for (const name of ['Ingest', 'Query']) {
      expect(one(pipeline, 'AWS::Lambda::Function', name)['Timeout']).toBeLessThan(30);
    }
  });
});

describe('the bundle', () => {
  const synthesised = (spoil: (folder: string) => void): (() => unknown) => {
    const folder = emptyBundle();
    spoil(folder);
    return () => site(app(), folder);
  };
  test('must be there', () => {
    expect(synthesised((folder) => rmSync(join(folder, 'query'), { recursive: true }))).toThrow(/query.bootstrap.*cargo xtask bundle/);
  });
  test('must be one that Lambda may run', () => {
    expect(synthesised((folder) => chmodSync(join(folder, 'reaper', 'bootstrap'), 0o644))).toThrow(
      /permission denied/,
    );
  });
  test('must have the module\'s artefact', () => {
    expect(synthesised((folder) => rmSync(join(folder, 'miner', 'artefacts'), { recursive: true }))).toThrow(
      /no artefact/,
    );
  });
});

describe('schedule', () => {
  test.each([
    [1, 'rate(1 minute)'],
    [5, 'rate(5 minutes)'],
  ])('every %i min is written as EventBridge wants it', (reaperMinutes, expression) => {
    const { pipeline: chosen } = templates({ reaperMinutes: String(reaperMinutes) });
    const schedule = one(chosen, 'AWS::Scheduler::Schedule');
    expect(schedule['ScheduleExpression']).toBe(expression);
    expect(schedule['Target'].Arn['Fn::GetAtt'][0]).toMatch(/^Reaper/);
    expect(schedule['Target'].RoleArn['Fn::GetAtt'][0]).toMatch(/^SchedulerRole/);
  });
});

describe('edge', () => {
  test('every write goes to ingest, every read to query, nothing else anywhere', () => {
    const targets = new Map(
      resources(edge, 'AWS::ApiGatewayV2::Integration').map(([id, found]) => [
        id,
        /(Ingest|Query)/.exec(JSON.stringify(found['IntegrationUri']))![1],
      ]),
    );
    const routes = resources(edge, 'AWS::ApiGatewayV2::Route').map(([, route]) => {
      const integration = /"([A-Za-z0-9]+)"\]\]\}$/.exec(JSON.stringify(route['Target']))?.[1];
      const target = targets.get(integration ?? '') ?? targets.get(route['Target']['Fn::Join'][1][1].Ref);
      return `${route['RouteKey']} → ${target}`;
    });
    expect(routes.sort()).toEqual([
      'GET / → Query',
      'GET /{path+} → Query',
      'HEAD / → Query',
      'HEAD /{path+} → Query',
      'POST /v1/accounts → Ingest',
      'POST /v1/erasures → Ingest',
      'POST /v1/events → Ingest',
      'POST /v1/lists → Ingest',
      'POST /v1/media → Ingest',
      'POST /v1/profiles → Ingest',
      'POST /v1/reports → Ingest',
      'POST /v1/sign-in/finish → Ingest',
      'POST /v1/sign-in/password → Ingest',
      'POST /v1/sign-in/start → Ingest',
      'POST /v1/sign-in/vault → Ingest',
      'POST /v1/statements → Ingest',
    ]);
  });

  test('the routes of the API are those that the functions serve', () => {
    const openapi = JSON.parse(
      readFileSync(join(import.meta.dirname, '../../docs/openapi.json'), 'utf8'),
    ) as { paths: Record<string, Record<string, unknown>> };
    const writes = Object.entries(openapi.paths)
      .filter(([, methods]) => Object.keys(methods).some((method) => !['get', 'head'].includes(method)))
      .map(([path]) => path)
      // Of the local service: photos go to the bucket here, by tickets that lead there.
      .filter((path) => path !== '/media/uploads/{token}');
    const signIn = ['finish', 'password', 'start', 'vault'].map((step) => `/v1/sign-in/${step}`);
    const others = ['accounts', 'erasures', 'events', 'lists', 'media', 'profiles', 'reports', 'statements'].map((name) => `/v1/${name}`);
    expect(writes.sort()).toEqual([...others, ...signIn].sort());
  });

  test('is throttled and logged', () => {
    const stage = one(edge, 'AWS::ApiGatewayV2::Stage');
    expect(stage['DefaultRouteSettings']).toMatchObject({ ThrottlingRateLimit: 50, ThrottlingBurstLimit: 100 });
    expect(stage['AccessLogSettings'].Format).not.toContain('sourceIp');
  });

  test('CloudFront sends no Host that API Gateway doesn\'t know', () => {
    edge.hasResourceProperties('AWS::CloudFront::CachePolicy', {
      CachePolicyConfig: {
        MinTTL: 0,
        DefaultTTL: 0,
        ParametersInCacheKeyAndForwardedToOrigin: {
          HeadersConfig: { HeaderBehavior: 'whitelist', Headers: ['Accept-Language'] },
        },
      },
    });
  });

  test('CloudFront says whose request it is, and shows that it is CloudFront', () => {
    const { Origins, DefaultCacheBehavior } = one(edge, 'AWS::CloudFront::Distribution')['DistributionConfig'];
    const shown = (Origins as Properties[]).flatMap((origin) => origin['OriginCustomHeaders'] ?? []);
    // To the API alone, and by reference: the bucket has no use for it, the template must not hold it.
    expect(shown).toEqual([
      { HeaderName: 'x-pitpet-edge', HeaderValue: '{{resolve:secretsmanager:pitpet/dev/edge:SecretString:::}}' },
    ]);
    const told = one(pipeline, 'AWS::Lambda::Function', 'Ingest')['Environment'].Variables;
    expect(told['PITPET_EDGE_SECRET']).toBe('pitpet/dev/edge');

    const [policy, { OriginRequestPolicyConfig: asked }] = resources(edge, 'AWS::CloudFront::OriginRequestPolicy')[0]!;
    expect(DefaultCacheBehavior['OriginRequestPolicyId']).toEqual({ Ref: policy });
    expect(asked.HeadersConfig.HeaderBehavior).toBe('whitelist');
    expect(asked.HeadersConfig.Headers).toContain('CloudFront-Viewer-Address');
    expect(asked.HeadersConfig.Headers).toContain('Content-Type');
    expect(asked.HeadersConfig.Headers).not.toContain('Host');

    const code = readFileSync(join(import.meta.dirname, '../../crates/aws/src/gateway.rs'), 'utf8');
    for (const header of ['x-pitpet-edge', 'cloudfront-viewer-address']) expect(code).toContain(`"${header}"`);
  });

  test('a domain of the operator\'s has its certificate and a floor for TLS', () => {
    const certificate = 'arn:aws:acm:us-east-1:123456789012:certificate/0a';
    const { edge: named } = templates({ siteUrl: 'https://pets.example.org', certificate });
    named.hasResourceProperties('AWS::CloudFront::Distribution', {
      DistributionConfig: {
        Aliases: ['pets.example.org'],
        ViewerCertificate: { AcmCertificateArn: certificate, MinimumProtocolVersion: 'TLSv1.2_2021' },
      },
    });
  });

  test('photos come from the bucket, signed; the rest from the API', () => {
    edge.hasResourceProperties('AWS::CloudFront::Distribution', {
      DistributionConfig: {
        CacheBehaviors: [
          Match.objectLike({ PathPattern: 'static/*', Compress: true }),
          Match.objectLike({ PathPattern: 'media/*', Compress: true }),
        ],
        DefaultCacheBehavior: { Compress: true, ViewerProtocolPolicy: 'redirect-to-https' },
      },
    });
    edge.hasResourceProperties('AWS::CloudFront::OriginAccessControl', {
      OriginAccessControlConfig: { SigningBehavior: 'always', SigningProtocol: 'sigv4' },
    });
  });
});

describe('alarms', () => {
  const runbook = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8');
  const alarms = resources(observability, 'AWS::CloudWatch::Alarm').map(([, alarm]) => alarm);

  test('each has its entry in the runbook, and the runbook none too many', () => {
    const names = alarms.map((alarm) => String(alarm['AlarmName']).replace('pitpet-dev-', '')).sort();
    const entries = [...runbook.matchAll(/^### ([A-Z]\w+)$/gm)].map((match) => match[1]!).sort();
    expect(entries).toEqual(names);
    for (const alarm of alarms) {
      expect(alarm['AlarmDescription']).toContain(
        `docs/runbook.md#${String(alarm['AlarmName']).replace('pitpet-dev-', '').toLowerCase()}`,
      );
    }
  });

  test('each tells somebody', () => {
    for (const alarm of alarms) expect(alarm['AlarmActions']).toHaveLength(1);
    const { observability: told } = templates({ alarmEmail: 'night@example.org' });
    told.hasResourceProperties('AWS::SNS::Subscription', { Protocol: 'email', Endpoint: 'night@example.org' });
  });

  test('the metrics that they watch are those that the functions write', () => {
    const source = readFileSync(join(import.meta.dirname, '../../crates/aws/src/metrics.rs'), 'utf8');
    const written = new Set([...source.matchAll(/=> "(\w+)"/g)].map((match) => match[1]!));
    const text = JSON.stringify(observability.toJSON());
    // In the dashboard's body quotation marks are escaped.
    const watched = new Set(
      [...text.matchAll(/\[\\*"PitPet\\*",\\*"(\w+)\\*"/g), ...text.matchAll(/"MetricName":"(\w+)","Namespace":"PitPet"/g)].map(
        (match) => match[1]!,
      ),
    );
    expect(watched.size).toBeGreaterThan(8);
    for (const name of watched) expect(written).toContain(name);
  });
});

test('every stack\'s costs can be told apart', () => {
  for (const [part, template] of Object.entries(made)) {
    const tagged = Object.values(template.toJSON().Resources as Record<string, Properties>)
      .map((found) => found['Properties']?.['Tags'])
      .filter(Array.isArray)
      .map((tags: Properties[]) => Object.fromEntries(tags.map((tag) => [tag['Key'], tag['Value']])));
    expect(tagged.length).toBeGreaterThan(0);
    for (const tags of tagged) expect(tags).toMatchObject({ application: 'pitpet', stage: 'dev', part });
  }
});

describe('settings', () => {
  test.each([
    [{ stage: 'test' }, /dev and prod/],
    [{ arch: 'mips' }, /arm64 or x86_64/],
    [{ minersMax: '1' }, /from 2 to 1000/],
    [{ logDays: '8' }, /CloudWatch takes/],
    [{ tracing: 'yes' }, /true or false/],
    [{ origins: 'https://a.example/path' }, /no origin/],
    [{ siteUrl: 'pets.example.org' }, /https:\/\/ and a host/],
    [{ siteUrl: 'https://a.example', certificate: 'arn:aws:acm:eu-west-1:1:certificate/0a' }, /us-east-1/],
    [{ certificate: 'arn:aws:acm:us-east-1:123456789012:certificate/0a' }, /siteUrl/],
    [{ searchWords: '13' }, /from 0 to 12/],
  ])('%o is refused', (context, why) => {
    expect(() => site(app(context), emptyBundle())).toThrow(why);
  });
});

describe('golden templates', () => {
  test.each(['data', 'pipeline', 'edge', 'observability'] as const)('%s', async (part) => {
    const text = JSON.stringify(made[part].toJSON(), null, 1)
      // Of the bundle and of CDK's own version: neither is ours to pin here.
      .replace(/[0-9a-f]{64}\.zip/g, 'BUNDLE.zip');
    await expect(text).toMatchFileSnapshot(`golden/${part}.json`);
  });
});
