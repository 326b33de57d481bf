/**
 * What must outlive everything else: the table, the bucket, the keys. Nothing here is deleted with
 * its stack; `README.md` says how to remove it by hand.
 */
import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { AttributeType, BillingMode, StreamViewType, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import { Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { BlockPublicAccess, Bucket, BucketEncryption, HttpMethods, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { Settings } from './settings.js';

/** The installation's keys, by what they are for. */
export const KEYS = {
  checkpoint: 'signs one history: the miner reads it',
  house: 'mines time and ends stories: the reaper reads it',
  operator: 'may upgrade the rules: no function reads it',
  moderator: 'may hide bodies: no function reads it',
  signin: 'answers sign-ins by password: ingest reads it; losing it loses every password',
  edge: 'shows that a request came through CloudFront: CloudFront sends it, ingest reads it',
} as const;
/** Name of a key. */
export type KeyName = keyof typeof KEYS;

/** Name of the secret that holds a key. */
export function keySecret(settings: Settings, name: KeyName): string {
  return `pitpet/${settings.stage}/${name}`;
}

/** The visible ASCII characters but 0 to 9 and a to f. */
const NOT_HEXADECIMAL = Array.from({ length: 0x7e - 0x20 }, (_, index) => String.fromCharCode(0x21 + index))
  .filter((character) => !/[0-9a-f]/.test(character))
  .join('');

/** Table, bucket and keys. */
export class DataStack extends Stack {
  readonly table: Table;
  readonly objects: Bucket;
  readonly keys: Readonly<Record<KeyName, Secret>>;

  constructor(scope: Construct, id: string, settings: Settings, props: StackProps) {
    super(scope, id, { ...props, terminationProtection: settings.deletionProtection });

    this.table = new Table(this, 'Table', {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      // Only rejects carry it; see ARCHITECTURE.md.
      timeToLiveAttribute: 'ttl',
      stream: StreamViewType.NEW_AND_OLD_IMAGES,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: settings.deletionProtection,
      encryption: TableEncryption.DEFAULT,
      removalPolicy: RemovalPolicy.RETAIN,
    });

    this.objects = new Bucket(this, 'Objects', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [
        { id: 'aborted-uploads', abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
      // Browsers upload straight to the bucket, by a URL that signs size, type and SHA-256. It is
      // the URL that protects the bucket: whoever has none gets nothing from any origin.
      cors: [
        {
          allowedMethods: [HttpMethods.PUT],
          allowedOrigins: ['*'],
          allowedHeaders: ['content-type', 'x-amz-checksum-sha256'],
          maxAge: 3_600,
        },
      ],
    });
    // CloudFront reads photos, and nothing else. Any distribution of this account, because naming
    // the one would make this stack depend on the one that depends on it.
    this.objects.addToResourcePolicy(
      new PolicyStatement({
        sid: 'PhotosThroughCloudFront',
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal('cloudfront.amazonaws.com')],
        actions: ['s3:GetObject'],
        resources: [this.objects.arnForObjects('media/*')],
        conditions: {
          StringEquals: { 'aws:SourceAccount': this.account },
          ArnLike: { 'aws:SourceArn': `arn:${this.partition}:cloudfront::${this.account}:distribution/*` },
        },
      }),
    );

    // 64 hexadecimal digits are 32 uniformly random bytes: an Ed25519 key, made where it is kept
    // and never seen by whoever deploys.
    const key = (name: KeyName): Secret =>
      new Secret(this, `${name[0]?.toUpperCase()}${name.slice(1)}Key`, {
        secretName: keySecret(settings, name),
        description: `PitPet ${settings.stage}: ${KEYS[name]}`,
        generateSecretString: {
          passwordLength: 64,
          excludeCharacters: NOT_HEXADECIMAL,
          requireEachIncludedType: false,
        },
        removalPolicy: RemovalPolicy.RETAIN,
      });
    this.keys = {
      checkpoint: key('checkpoint'),
      house: key('house'),
      operator: key('operator'),
      moderator: key('moderator'),
      signin: key('signin'),
      edge: key('edge'),
    };

    // `pitpet admin --deployment` reads these.
    new CfnOutput(this, 'TableName', { value: this.table.tableName });
    new CfnOutput(this, 'ObjectsBucket', { value: this.objects.bucketName });
    new CfnOutput(this, 'KeyPrefix', { value: `pitpet/${settings.stage}` });
  }
}
