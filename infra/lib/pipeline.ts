/** Queue, functions, event source and schedule: what is deployed anew with every release. */
import { ArnFormat, CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  EventSourceMapping,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  SystemLogLevel,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import { DeduplicationScope, FifoThroughputLimit, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { ARTEFACTS, FUNCTIONS, type FunctionName, packaged } from './bundle.js';
import { type DataStack, type KeyName, keySecret } from './data.js';
import { type Resources, statements } from './permissions.js';
import type { Settings } from './settings.js';

/**
 * How long a batch may take. A cold kennel is opened from its snapshot and replays at most 256
 * blocks: seconds. What hangs longer is lost.
 */
const MINER_TIMEOUT = Duration.seconds(60);

/**
 * A message is hidden for six times as long as its batch may take: AWS's rule for event sources,
 * so that no batch is handed out again while Lambda still retries it.
 */
const VISIBILITY_TIMEOUT = Duration.seconds(6 * MINER_TIMEOUT.toSeconds());

/**
 * The miner buries what can't be mined by itself, and has what failed come back after 1 s, 2 s and
 * so on, up to 5 minutes. What comes back this often met faults that should have passed: two hours
 * of them, or three if each ended the miner, so that nobody asked and the visibility above had to
 * run out. Followers of a failed message in its batch burn receives with it, so this is generous.
 */
const RECEIVES_MAX = 30;

/** Memory, MB; CPU comes with it: 1,769 MB are one core. */
export const MEMORY_MB: Readonly<Record<FunctionName, number>> = {
  ingest: 256,
  // Eight open kennels of usual size, at most 64 MiB, or one at all its limits; and the decoded blocks of a replay.
  miner: 1_024,
  reaper: 256,
  query: 512,
};

const TIMEOUT: Readonly<Record<FunctionName, Duration>> = {
  ingest: Duration.seconds(10),
  miner: MINER_TIMEOUT,
  reaper: Duration.minutes(5),
  // API Gateway gives up after 30 s.
  query: Duration.seconds(29),
};

/** Queue and functions. */
export class PipelineStack extends Stack {
  readonly queue: Queue;
  readonly deadLetters: Queue;
  readonly functions: Readonly<Record<FunctionName, LambdaFunction>>;

  constructor(
    scope: Construct,
    id: string,
    settings: Settings,
    bundle: string,
    data: DataStack,
    props: StackProps,
  ) {
    super(scope, id, props);
    this.addStackDependency(data);

    this.deadLetters = new Queue(this, 'DeadLetters', {
      fifo: true,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      // SQS's longest. A message that was redriven by SQS keeps the age that it had.
      retentionPeriod: Duration.days(14),
    });
    this.queue = new Queue(this, 'Queue', {
      fifo: true,
      // High throughput: limits count for each kennel, not for the queue.
      deduplicationScope: DeduplicationScope.MESSAGE_GROUP,
      fifoThroughputLimit: FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      visibilityTimeout: VISIBILITY_TIMEOUT,
      retentionPeriod: Duration.days(4),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: RECEIVES_MAX },
    });

    // Secrets Manager puts a hyphen and six random characters behind the name.
    const keyArn = (name: KeyName): string =>
      this.formatArn({
        service: 'secretsmanager',
        resource: 'secret',
        resourceName: `${keySecret(settings, name)}-??????`,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      });
    const resources: Resources = {
      table: data.table,
      objects: data.objects,
      queue: this.queue,
      deadLetters: this.deadLetters,
      checkpointKey: keyArn('checkpoint'),
      houseKey: keyArn('house'),
      signInSecret: keyArn('signin'),
      edgeSecret: keyArn('edge'),
    };
    const everyone = {
      PITPET_TABLE: data.table.tableName,
      PITPET_OBJECTS: `s3://${data.objects.bucketName}`,
    };
    // Of both that publish, or what one of them publishes is found by other words.
    const indexing = { PITPET_SEARCH_WORDS: String(settings.searchWords) };
    const environment: Readonly<Record<FunctionName, Record<string, string>>> = {
      ingest: {
        ...everyone,
        PITPET_QUEUE_URL: this.queue.queueUrl,
        PITPET_SIGN_IN_SECRET: keySecret(settings, 'signin'),
        // Its name, as with the keys: what it holds is in no setting of a function.
        PITPET_EDGE_SECRET: keySecret(settings, 'edge'),
      },
      miner: {
        ...everyone,
        // Within the package.
        PITPET_ARTEFACTS: ARTEFACTS,
        PITPET_CHECKPOINT_KEY_SECRET: keySecret(settings, 'checkpoint'),
        PITPET_QUEUE_URL: this.queue.queueUrl,
        PITPET_DEAD_LETTER_QUEUE_URL: this.deadLetters.queueUrl,
        ...indexing,
      },
      reaper: {
        ...everyone,
        PITPET_HOUSE_KEY_SECRET: keySecret(settings, 'house'),
        PITPET_QUEUE_URL: this.queue.queueUrl,
        ...indexing,
      },
      // CloudFront's own name is not known here: its stack needs this one.
      query: { ...everyone, ...(settings.siteUrl !== '' && { PITPET_SITE_URL: settings.siteUrl }) },
    };

    const functions = {} as Record<FunctionName, LambdaFunction>;
    for (const name of FUNCTIONS) {
      functions[name] = this.function(name, settings, bundle, resources, environment[name]);
    }
    this.functions = functions;

    new EventSourceMapping(this, 'Mining', {
      target: functions.miner,
      eventSourceArn: this.queue.queueArn,
      // The most that SQS hands out at once from a FIFO queue; a batching window it doesn't take.
      batchSize: 10,
      reportBatchItemFailures: true,
      // Not reserved concurrency: a new account may have 10 in all, and a poller that is throttled
      // by a reservation burns receives.
      maxConcurrency: settings.minersMax,
    });
    const scheduler = new Role(this, 'SchedulerRole', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
      description: `PitPet ${settings.stage}: the schedule`,
      inlinePolicies: {
        exact: new PolicyDocument({
          statements: [
            new PolicyStatement({
              effect: Effect.ALLOW,
              actions: ['lambda:InvokeFunction'],
              resources: [functions.reaper.functionArn],
            }),
          ],
        }),
      },
    });
    new Schedule(this, 'Reaping', {
      description: 'Mines time on idle kennels, ends stories, repairs',
      schedule: ScheduleExpression.rate(Duration.minutes(settings.reaperMinutes)),
      target: new LambdaInvoke(functions.reaper, {
        role: scheduler.withoutPolicyUpdates(),
        // The next run does what this one could not.
        retryAttempts: 0,
        maxEventAge: Duration.minutes(Math.max(1, settings.reaperMinutes)),
      }),
    });

    // `pitpet admin --deployment` reads these.
    new CfnOutput(this, 'QueueUrl', { value: this.queue.queueUrl });
    new CfnOutput(this, 'DeadLettersUrl', { value: this.deadLetters.queueUrl });
    new CfnOutput(this, 'SearchWords', { value: String(settings.searchWords) });
  }

  private function(
    name: FunctionName,
    settings: Settings,
    bundle: string,
    resources: Resources,
    environment: Record<string, string>,
  ): LambdaFunction {
    const title = `${name[0]?.toUpperCase()}${name.slice(1)}`;
    const logGroup = new LogGroup(this, `${title}Log`, {
      retention: settings.logDays as RetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const log = new PolicyStatement({
      effect: Effect.ALLOW,
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [logGroup.logGroupArn],
    });
    const traces = new PolicyStatement({
      effect: Effect.ALLOW,
      actions: ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'],
      // X-Ray knows no resources.
      resources: ['*'],
    });
    const role = new Role(this, `${title}Role`, {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `PitPet ${settings.stage}: the ${name} function`,
      inlinePolicies: {
        exact: new PolicyDocument({
          statements: [...statements(name, resources), log, ...(settings.tracing ? [traces] : [])],
        }),
      },
    });
    return new LambdaFunction(this, title, {
      description: `PitPet ${settings.stage}: ${name}`,
      runtime: Runtime.PROVIDED_AL2023,
      architecture: settings.arch === 'arm64' ? Architecture.ARM_64 : Architecture.X86_64,
      handler: 'bootstrap',
      code: packaged(bundle, name),
      // So that the role has exactly what is written here.
      role: role.withoutPolicyUpdates(),
      memorySize: MEMORY_MB[name],
      timeout: TIMEOUT[name],
      environment: { ...environment, PITPET_FUNCTION: name, PITPET_STAGE: settings.stage, RUST_LOG: 'info' },
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      // Lambda's own two lines for each invocation tell what its metrics count, and cost more than
      // what the functions say themselves.
      systemLogLevelV2: SystemLogLevel.WARN,
      tracing: settings.tracing ? Tracing.ACTIVE : Tracing.DISABLED,
    });
  }
}
