/** The CDK app: `cdk.json` runs it. */
import { App } from 'aws-cdk-lib';
import { site } from '../lib/site.js';

site(new App());
