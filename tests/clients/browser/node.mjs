// Starts `aceso dev` with the page for a test and stops it again; ports are chosen by the node.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/**
 * @param {{ chainId: string, fund: string[], ui: string }} options
 * @returns {Promise<{ rpc: string, rest: string, stop: () => Promise<void> }>}
 */
export async function startNode({ chainId, fund, ui }) {
  const binary = process.env.ACESO_NODE;
  if (!binary) throw new Error("ACESO_NODE names no binary; run `cargo xtask test --only browser`");
  const home = mkdtempSync(join(tmpdir(), "aceso-browser-"));
  const args = ["dev", "--json", "--home", join(home, "node"), "--chain-id", chainId, "--ui", ui];
  args.push("--rpc", "127.0.0.1:0", "--rest", "127.0.0.1:0");
  for (const who of fund) args.push("--fund", who);
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "inherit"] });
  const first = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`the node ended with ${code} before it said where it is`)));
  });
  const stop = () =>
    new Promise((resolve) => {
      child.removeAllListeners("exit");
      child.once("exit", () => {
        rmSync(home, { recursive: true, force: true });
        resolve();
      });
      child.kill("SIGTERM");
    });
  return { ...JSON.parse(first), stop };
}
