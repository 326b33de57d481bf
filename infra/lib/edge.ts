/** What the world sees: the HTTP API, and CloudFront in front of it and of the photos. */
import { CfnOutput, Duration, Fn, RemovalPolicy, SecretValue, Stack, type StackProps } from 'aws-cdk-lib';
import {
  CorsHttpMethod,
  HttpApi,
  HttpMethod,
  HttpStage,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import {
  AllowedMethods,
  CacheHeaderBehavior,
  CachePolicy,
  CacheQueryStringBehavior,
  Distribution,
  HeadersFrameOption,
  HeadersReferrerPolicy,
  HttpVersion,
  OriginProtocolPolicy,
  OriginRequestCookieBehavior,
  OriginRequestHeaderBehavior,
  OriginRequestPolicy,
  OriginRequestQueryStringBehavior,
  PriceClass,
  ResponseHeadersPolicy,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront';
import { HttpOrigin, S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { type DataStack, keySecret } from './data.js';
import type { PipelineStack } from './pipeline.js';
import type { Settings } from './settings.js';

/** The HTTP API and CloudFront. */
export class EdgeStack extends Stack {
  readonly api: HttpApi;
  readonly distribution: Distribution;

  constructor(
    scope: Construct,
    id: string,
    settings: Settings,
    data: DataStack,
    pipeline: PipelineStack,
    props: StackProps,
  ) {
    super(scope, id, props);

    this.api = new HttpApi(this, 'Api', {
      apiName: `pitpet-${settings.stage}`,
      createDefaultStage: false,
      // Nothing here is authorised by cookies or headers: every event is signed by itself. So any
      // page may read, and pages of the listed origins may write.
      corsPreflight: {
        allowOrigins: settings.origins.length > 0 ? [...settings.origins] : ['*'],
        allowMethods: [CorsHttpMethod.GET, CorsHttpMethod.HEAD, CorsHttpMethod.POST],
        allowHeaders: ['content-type'],
        maxAge: Duration.hours(1),
      },
    });
    const accessLog = new LogGroup(this, 'AccessLog', {
      retention: settings.logDays as RetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    new HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: settings.requestsPerSecond, burstLimit: settings.requestsBurst },
      detailedMetricsEnabled: true,
      accessLogSettings: {
        destination: new LogGroupLogDestination(accessLog),
        // No addresses of visitors.
        format: AccessLogFormat.custom(
          JSON.stringify({
            // Short names, and no time, which CloudWatch notes itself: each byte is paid for.
            id: '$context.requestId',
            verb: '$context.httpMethod',
            path: '$context.path',
            status: '$context.status',
            bytes: '$context.responseLength',
            ms: '$context.responseLatency',
            error: '$context.integrationErrorMessage',
          }),
        ),
      },
    });
    // Every write is taken by ingest; query can't write. Only the paths that exist.
    const ingest = new HttpLambdaIntegration('Ingest', pipeline.functions.ingest);
    const signIn = ['finish', 'password', 'start', 'vault'].map((step) => `/v1/sign-in/${step}`);
    const posts = ['accounts', 'erasures', 'events', 'lists', 'media', 'profiles', 'reports', 'statements'].map((name) => `/v1/${name}`);
    for (const path of [...posts, ...signIn]) {
      this.api.addRoutes({ path, methods: [HttpMethod.POST], integration: ingest });
    }
    const query = new HttpLambdaIntegration('Query', pipeline.functions.query);
    for (const path of ['/', '/{path+}']) {
      this.api.addRoutes({ path, methods: [HttpMethod.GET, HttpMethod.HEAD], integration: query });
    }

    // By name, so that CDK doesn't change the bucket's policy, which is in the other stack.
    const objects = Bucket.fromBucketAttributes(this, 'Objects', {
      bucketArn: data.objects.bucketArn,
      bucketRegionalDomainName: data.objects.bucketRegionalDomainName,
    });
    const host = settings.apiHost !== '' ? settings.apiHost : Fn.select(2, Fn.split('/', this.api.apiEndpoint));
    const headers = new ResponseHeadersPolicy(this, 'SecurityHeaders', {
      comment: `PitPet ${settings.stage}`,
      securityHeadersBehavior: {
        contentTypeOptions: { override: true },
        frameOptions: { frameOption: HeadersFrameOption.DENY, override: true },
        // The pages say themselves to whom.
        referrerPolicy: { referrerPolicy: HeadersReferrerPolicy.NO_REFERRER, override: false },
        strictTransportSecurity: {
          accessControlMaxAge: Duration.days(365),
          includeSubdomains: true,
          override: true,
        },
        // The pages send their own, with the hashes of their styles: this is for all else.
        contentSecurityPolicy: { contentSecurityPolicy: "default-src 'none'; img-src 'self'", override: false },
      },
    });
    const shared = {
      compress: true,
      responseHeadersPolicy: headers,
      viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
    };
    // Pages and feeds are in the visitor's language. No other header is part of the key: a key with
    // the Host in it would send the Host on, and API Gateway answers to its own name only.
    const pages = new CachePolicy(this, 'Pages', {
      comment: `PitPet ${settings.stage}: keeps what says that it may be kept`,
      minTtl: Duration.seconds(0),
      defaultTtl: Duration.seconds(0),
      maxTtl: Duration.days(365),
      queryStringBehavior: CacheQueryStringBehavior.all(),
      headerBehavior: CacheHeaderBehavior.allowList('Accept-Language'),
      enableAcceptEncodingBrotli: true,
      enableAcceptEncodingGzip: true,
    });
    // API Gateway sees the address of CloudFront's edge, which all its visitors share, so that a
    // limit on it would be theirs together. CloudFront says the visitor's address in a header; but
    // anybody may send such a header to API Gateway, which is public too. What tells the two apart is
    // a secret, made by Secrets Manager and resolved by CloudFormation when it deploys: it is in no
    // template, and CloudFront puts it in place of what a visitor sends under that name. Whoever may
    // read the distribution's settings in this account sees it; all that it is good for is to claim
    // an address. It isn't rotated: CloudFormation would look again only if the name changed.
    const pagesOrigin = new HttpOrigin(host, {
      protocolPolicy: OriginProtocolPolicy.HTTPS_ONLY,
      customHeaders: { 'x-pitpet-edge': SecretValue.secretsManager(keySecret(settings, 'edge')).unsafeUnwrap() },
    });
    // What the functions and the API's CORS read; never the Host. A list, because no other kind of
    // policy has CloudFront's own headers without the Host.
    const asked = new OriginRequestPolicy(this, 'Asked', {
      comment: `PitPet ${settings.stage}: what the API reads, and the visitor's address`,
      cookieBehavior: OriginRequestCookieBehavior.none(),
      queryStringBehavior: OriginRequestQueryStringBehavior.all(),
      headerBehavior: OriginRequestHeaderBehavior.allowList(
        'CloudFront-Viewer-Address',
        'Content-Type',
        'Origin',
        'Access-Control-Request-Headers',
        'Access-Control-Request-Method',
      ),
    });
    // A domain of the operator's brings its certificate, and with it a floor for TLS.
    const named = settings.certificate !== '' && {
      domainNames: [new URL(settings.siteUrl).hostname],
      certificate: Certificate.fromCertificateArn(this, 'Certificate', settings.certificate),
      minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
    };
    this.distribution = new Distribution(this, 'Distribution', {
      comment: `PitPet ${settings.stage}`,
      httpVersion: HttpVersion.HTTP2_AND_3,
      priceClass: PriceClass.PRICE_CLASS_100,
      ...named,
      defaultBehavior: {
        ...shared,
        origin: pagesOrigin,
        allowedMethods: AllowedMethods.ALLOW_ALL,
        // Only what says itself that it may be kept is kept.
        cachePolicy: pages,
        originRequestPolicy: asked,
      },
      additionalBehaviors: {
        // Style sheet, scripts, icons: their addresses have their hash, the same in every language.
        'static/*': {
          ...shared,
          origin: pagesOrigin,
          allowedMethods: AllowedMethods.ALLOW_GET_HEAD,
          cachePolicy: CachePolicy.CACHING_OPTIMIZED,
        },
        'media/*': {
          ...shared,
          origin: S3BucketOrigin.withOriginAccessControl(objects),
          allowedMethods: AllowedMethods.ALLOW_GET_HEAD,
          // Named by their SHA-256: they never change.
          cachePolicy: CachePolicy.CACHING_OPTIMIZED,
        },
      },
    });

    new CfnOutput(this, 'SiteUrl', { value: settings.siteUrl || `https://${this.distribution.distributionDomainName}` });
    new CfnOutput(this, 'DistributionName', { value: this.distribution.distributionDomainName });
    new CfnOutput(this, 'ApiUrl', { value: this.api.apiEndpoint });
  }
}
