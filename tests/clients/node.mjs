// Starts `aceso dev` for a test and stops it again; ports are chosen by the node and read from its first line.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/**
 * @param {{ fund: string[], [option: string]: string | string[] }} options accounts with coins, and options of
 *   `aceso dev` by name (`{ "chain-id": "a-1" }`)
 * @returns {Promise<{ rpc: string, rest: string, grpc: string | null, home: string, stop: () => Promise<void> }>}
 */
export async function startNode({ fund, grpc = "off", ...options }) {
  const binary = process.env.ACESO_NODE;
  if (!binary) throw new Error("ACESO_NODE names no binary; run `cargo xtask test`");
  const home = mkdtempSync(join(tmpdir(), "aceso-client-"));
  const args = ["dev", "--json", "--home", join(home, "node")];
  args.push("--rpc", "127.0.0.1:0", "--grpc", grpc, "--rest", "127.0.0.1:0");
  for (const [name, value] of Object.entries(options)) args.push(`--${name}`, value);
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
  return { ...JSON.parse(first), home: join(home, "node"), stop };
}
