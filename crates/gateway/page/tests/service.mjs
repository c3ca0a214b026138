// The real service in a folder and on ports of its own: `luong up` with the demo city.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const START_MS = 60_000;

export class RealService {
  static async make(binary) {
    const folder = await mkdtemp(join(tmpdir(), "luong-up-"));
    // The page must find the service again where it was, so the ports are chosen once.
    const ports = await Promise.all([0, 1, 2, 3].map(freePort));
    return new RealService(binary, folder, ports);
  }

  constructor(binary, folder, [mqtt, grpc, dashboard, admin]) {
    this.binary = binary;
    this.folder = folder;
    this.url = `http://127.0.0.1:${dashboard}/`;
    const settings = { "mqtt.listen": mqtt, "gateway.listen": grpc, "gateway.dashboard": dashboard, "admin.listen": admin };
    this.settings = Object.entries(settings).flatMap(([key, port]) => ["--set", `${key}=127.0.0.1:${port}`]);
  }

  async start() {
    this.said = "";
    this.child = spawn(this.binary, ["up", "--data-dir", this.folder, ...this.settings], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on("data", (data) => (this.said = (this.said + data).slice(-8000)));
    this.ended = new Promise((resolve) => this.child.on("exit", (code, signal) => resolve(code ?? signal)));
    const end = Date.now() + START_MS;
    while (!(await answers(this.url))) {
      if (this.child.exitCode !== null || Date.now() > end) throw new Error(`luong up does not serve the page at ${this.url}:\n${this.said}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Ends it and returns how it ended. */
  async stop(signal = "SIGTERM") {
    this.child?.kill(signal);
    return this.ended;
  }

  async remove() {
    await this.stop("SIGKILL");
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function answers(url) {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
