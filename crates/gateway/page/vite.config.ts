import { defineConfig } from "vite";

// Everything is reproducible and relative: the same sources give the same bytes, and the page works under any path.
export default defineConfig({
  base: "./",
  publicDir: "public",
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    sourcemap: false,
    // The notices that the licences of what is bundled ask for.
    license: { fileName: "licenses.txt" },
    // A strict content security policy allows no data: URL in scripts and workers.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
  },
});
