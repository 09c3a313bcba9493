import { defineConfig } from "vite";

// The node serves the page under a strict content security policy: nothing is inlined, nothing comes from elsewhere.
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1500,
  },
});
