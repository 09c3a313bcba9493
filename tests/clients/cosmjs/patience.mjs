// CosmJS leaves the timer of a broadcast's timeout running where the node refuses the broadcast, and Node.js would wait for it. So
// timers of that length keep nobody waiting.

/** Milliseconds after which a transaction that is in no block yet is given up: machines may be slow. */
export const PATIENCE = 60_000;

const { setTimeout: start } = globalThis;
globalThis.setTimeout = (call, ms, ...rest) => {
  const timer = start(call, ms, ...rest);
  return ms >= PATIENCE ? timer.unref() : timer;
};
