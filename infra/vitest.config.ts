import { defineConfig } from 'vitest/config';

// A synthesis takes a second, and many on a machine that is busy with something else.
export default defineConfig({ test: { testTimeout: 120_000, hookTimeout: 120_000 } });
