/** Findings of cdk-nag that stand, each with the reason why; any other one fails the synthesis. */
import { Validations } from 'aws-cdk-lib';
import type { CfnRoute } from 'aws-cdk-lib/aws-apigatewayv2';
import type { IConstruct } from 'constructs';
import type { Site } from './site.js';

/** The prefixes of the bucket in each role; `permissions.ts` has the actions. */
const PREFIXES: Readonly<Record<string, readonly string[]>> = {
  Ingest: ['media', 'rules'],
  Miner: ['archive', 'snapshot'],
  Reaper: ['media'],
  Query: ['archive', 'media', 'rules', 'snapshot'],
};

/** Acknowledges them where they occur. */
export function acknowledge({ settings, data, pipeline, edge, observability }: Site): void {
  const stands = (scope: IConstruct, rule: string, reason: string): void => {
    Validations.of(scope).acknowledge({ id: `AwsSolutions::AwsSolutions-${rule}`, reason });
  };
  stands(
    data.objects,
    'S1',
    'objects are content-addressed and verified by whoever reads them; photos are served through CloudFront, and a second bucket for access logs would keep visitors addresses',
  );
  for (const [name, key] of Object.entries(data.keys)) {
    stands(
      key,
      'SMG4',
      name === 'edge'
        ? 'CloudFront has a copy, which no rotation would change; it gives nobody more than an address to claim'
        : 'the public half is part of the genesis of every kennel: another key would be of no use to them',
    );
  }
  // How cdk-nag names the bucket seen from the functions' stack.
  const exported = data.resolve(data.exportValue(data.objects.bucketArn)) as { 'Fn::ImportValue': string };
  for (const [title, prefixes] of Object.entries(PREFIXES)) {
    const role = pipeline.node.findChild(`${title}Role`);
    for (const prefix of prefixes) {
      stands(
        role,
        `IAM5[Resource::${exported['Fn::ImportValue']}/${prefix}/*]`,
        'objects are named by hashes that are not known beforehand: the prefix is the exact resource',
      );
    }
    if (settings.tracing) stands(role, 'IAM5[Resource::*]', 'X-Ray knows no resources');
  }
  for (const route of edge.api.node.findAll().filter(isRoute)) {
    stands(route, 'APIG4', 'reads are public, and every write is an event that is signed by its account');
  }
  stands(
    edge.distribution,
    'CFR3',
    'the HTTP API logs every request that reaches it, without addresses; photos are public by their hash',
  );
  if (settings.certificate === '') {
    stands(edge.distribution, 'CFR4', 'a domain of the operator brings its certificate and with it TLS 1.2');
  }
  stands(edge.distribution, 'CFR1', 'pets are welcome from everywhere');
  stands(edge.distribution, 'CFR2', 'the API is throttled, and every event carries proof of work');
  Validations.of(edge.distribution).acknowledge({
    id: 'Annotation::@aws-cdk/aws-cloudfront-origins:updateImportedBucketPolicyOac',
    reason: 'the policy is set where the bucket is, in data.ts',
  });
  Validations.of(observability).acknowledge({
    id: 'Annotation::CloudWatch:Math:MetricsPeriodsOverridden',
    reason: 'the same metrics are drawn by the minute',
  });
}

function isRoute(construct: IConstruct): construct is CfnRoute {
  return (construct as Partial<CfnRoute>).cfnResourceType === 'AWS::ApiGatewayV2::Route';
}
