/**
 * What wakes a person, and what they look at then. Every alarm has its entry in
 * `docs/runbook.md`, under its name.
 */
import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import { FUNCTIONS } from './bundle.js';
import type { DataStack } from './data.js';
import type { EdgeStack } from './edge.js';
import type { PipelineStack } from './pipeline.js';
import type { Settings } from './settings.js';

/** The namespace of the functions' own metrics: `crates/aws/src/metrics.rs`. */
export const NAMESPACE = 'PitPet';

/** When an alarm goes off. */
interface When {
  readonly metric: IMetric;
  readonly above?: number;
  readonly below?: number;
  /** Periods in a row; 1 unless given. */
  readonly periods?: number;
  readonly missing?: TreatMissingData;
  /** What it means, in one line; the runbook has the rest. */
  readonly means: string;
}

/** Alarms and the dashboard. */
export class ObservabilityStack extends Stack {
  private readonly topic: Topic;

  constructor(
    scope: Construct,
    id: string,
    private readonly settings: Settings,
    data: DataStack,
    pipeline: PipelineStack,
    edge: EdgeStack,
    props: StackProps,
  ) {
    super(scope, id, props);
    this.topic = new Topic(this, 'Alarms', { displayName: `PitPet ${settings.stage}`, enforceSSL: true });
    if (settings.alarmEmail !== '') this.topic.addSubscription(new EmailSubscription(settings.alarmEmail));

    const minute = Duration.minutes(1);
    const five = Duration.minutes(5);
    const own = (metricName: string, statistic: string, label?: string): Metric =>
      new Metric({
        namespace: NAMESPACE,
        metricName,
        dimensionsMap: { Stage: settings.stage },
        statistic,
        period: minute,
        label,
      });
    const { queue, deadLetters, functions } = pipeline;
    const waiting = queue.metricApproximateNumberOfMessagesVisible({ period: minute, statistic: Stats.MAXIMUM });
    const buried = deadLetters.metricApproximateNumberOfMessagesVisible({
      period: minute,
      statistic: Stats.MAXIMUM,
    });
    const blocks = own('Blocks', Stats.SUM);
    const conflicts = own('CommitConflicts', Stats.SUM);

    this.alarm('QueueAge', {
      metric: queue.metricApproximateAgeOfOldestMessage({ period: minute, statistic: Stats.MAXIMUM }),
      above: 300,
      periods: 3,
      means: 'events wait over 5 minutes to be mined',
    });
    this.alarm('DeadLetters', { metric: buried, above: 0, means: 'messages that could not be mined' });
    this.alarm('DeadLetterAge', {
      metric: deadLetters.metricApproximateAgeOfOldestMessage({ period: five, statistic: Stats.MAXIMUM }),
      above: Duration.days(7).toSeconds(),
      means: 'a dead letter is gone in a week, and its events with it',
    });
    for (const name of FUNCTIONS) {
      const title = `${name[0]?.toUpperCase()}${name.slice(1)}`;
      this.alarm(`${title}Errors`, {
        metric: functions[name].metricErrors({ period: five }),
        above: name === 'ingest' || name === 'query' ? 5 : 0,
        periods: name === 'miner' ? 1 : 2,
        means: `the ${name} function fails`,
      });
      this.alarm(`${title}Throttles`, {
        metric: functions[name].metricThrottles({ period: five }),
        above: 0,
        periods: 2,
        means: `Lambda refuses to run the ${name} function: the account's concurrency is used up`,
      });
    }
    this.alarm('ReaperSilent', {
      metric: functions.reaper.metricInvocations({ period: Duration.minutes(settings.reaperMinutes) }),
      below: 1,
      periods: 3,
      missing: TreatMissingData.BREACHING,
      means: 'the schedule does not fire',
    });
    this.alarm('CommitConflicts', {
      metric: new MathExpression({
        expression: 'IF(blocks + conflicts > 20, conflicts / (blocks + conflicts), 0)',
        usingMetrics: { blocks, conflicts },
        period: five,
        label: 'share of blocks lost to another miner',
      }),
      above: 0.5,
      periods: 2,
      means: 'miners work against each other, or somebody else writes heads',
    });
    this.alarm('PublishLag', {
      metric: own('PublishLag', Stats.MAXIMUM),
      // Of closed windows alone: those of an open one need not be published.
      above: 0,
      periods: 5,
      means: 'a window of blocks is closed and stays unpublished; mining stops above 1,000 such blocks',
    });
    this.alarm('NoBlocks', {
      metric: new MathExpression({
        expression: 'IF(waiting > 0 AND FILL(blocks, 0) + FILL(rejected, 0) < 1, 1, 0)',
        usingMetrics: { waiting, blocks, rejected: own('EventsRejected', Stats.SUM) },
        period: minute,
        label: 'messages wait and nothing is mined',
      }),
      above: 0,
      periods: 5,
      means: 'messages wait and no block is made',
    });
    this.alarm('UpgradesUnready', {
      metric: own('UpgradesUnready', Stats.SUM),
      above: 0,
      means: 'a kennel is to change to rules whose module the miner lacks or finds unfit; it will stand still then',
    });
    this.alarm('KennelsStopped', {
      metric: own('KennelsStopped', Stats.SUM),
      above: 0,
      means: 'a kennel stands still: the miner lacks the module of the rules that decide next, or finds it unfit',
    });
    this.alarm('TableThrottles', {
      metric: new MathExpression({
        expression: 'FILL(reads, 0) + FILL(writes, 0)',
        usingMetrics: {
          reads: data.table.metric('ReadThrottleEvents', { period: five, statistic: Stats.SUM }),
          writes: data.table.metric('WriteThrottleEvents', { period: five, statistic: Stats.SUM }),
        },
        period: five,
        label: 'throttled reads and writes',
      }),
      above: 0,
      periods: 2,
      means: 'DynamoDB refuses requests for load',
    });
    this.alarm('ApiErrors', {
      metric: edge.api.metricServerError({ period: five, statistic: Stats.SUM }),
      above: 5,
      periods: 2,
      means: 'visitors see status 5xx',
    });

    new Dashboard(this, 'Dashboard', {
      dashboardName: `pitpet-${settings.stage}`,
      widgets: [
        [
          graph('Events', [
            own('EventsTaken', Stats.SUM, 'taken'),
            own('EventsMined', Stats.SUM, 'mined'),
            own('EventsRejected', Stats.SUM, 'rejected'),
          ]),
          graph('Blocks', [blocks, conflicts, own('BlocksReplayed', Stats.SUM)]),
          graph('Queue', [waiting, buried]),
        ],
        [
          graph('Wait, s', [queue.metricApproximateAgeOfOldestMessage({ period: minute })]),
          graph('Publish lag, blocks of closed windows', [own('PublishLag', Stats.MAXIMUM)]),
          graph('Batch, messages', [own('BatchSize', Stats.AVERAGE), own('BatchSize', Stats.MAXIMUM)]),
        ],
        [
          graph('Mining a batch, ms', [own('MineTime', 'p50'), own('MineTime', 'p99'), own('WasmTime', 'p50')]),
          graph(
            'Errors',
            FUNCTIONS.map((name) => functions[name].metricErrors({ period: minute, label: name })),
          ),
          graph('Cold starts', [own('ColdStarts', Stats.SUM)]),
        ],
        [
          graph('Rejected, by reason', [
            new MathExpression({
              // As many lines as there are reasons.
              expression: `SEARCH('{${NAMESPACE},Stage,Reason} MetricName="EventsRejectedByReason" Stage="${settings.stage}"', 'Sum', 60)`,
              usingMetrics: {},
              label: '',
            }),
          ]),
          graph('Messages given back, buried', [
            own('MessagesFailed', Stats.SUM, 'given back'),
            own('MessagesBuried', Stats.SUM, 'buried'),
          ]),
          graph(
            'Throttles',
            FUNCTIONS.map((name) => functions[name].metricThrottles({ period: minute, label: name })),
          ),
        ],
        [
          graph('API', [
            edge.api.metricCount({ period: minute }),
            edge.api.metricClientError({ period: minute }),
            edge.api.metricServerError({ period: minute }),
          ]),
          graph('API latency, ms', [
            edge.api.metricLatency({ period: minute, statistic: 'p50' }),
            edge.api.metricLatency({ period: minute, statistic: 'p99' }),
          ]),
          graph('Table, units', [
            data.table.metricConsumedWriteCapacityUnits({ period: minute }),
            data.table.metricConsumedReadCapacityUnits({ period: minute }),
          ]),
        ],
      ],
    });
  }

  private alarm(name: string, when: When): void {
    const alarm = new Alarm(this, name, {
      alarmName: `pitpet-${this.settings.stage}-${name}`,
      alarmDescription: `${when.means}. docs/runbook.md#${name.toLowerCase()}`,
      metric: when.metric,
      threshold: when.above ?? when.below ?? 0,
      comparisonOperator:
        when.below === undefined
          ? ComparisonOperator.GREATER_THAN_THRESHOLD
          : ComparisonOperator.LESS_THAN_THRESHOLD,
      evaluationPeriods: when.periods ?? 1,
      treatMissingData: when.missing ?? TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(this.topic));
    alarm.addOkAction(new SnsAction(this.topic));
  }
}

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width: 8, height: 6, leftYAxis: { min: 0 } });
}
