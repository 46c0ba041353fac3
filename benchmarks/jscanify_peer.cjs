// jscanify's finder as a filter: frames (two uint32: width, height; then RGBA) in, a line of JSON a frame out.
// node jscanify_peer.cjs FOLDER, the unpacked npm package; its canvas and DOM are not needed to find a page.
const Module = require("module");
const load = Module._load;
Module._load = (name, ...rest) =>
  name === "canvas" ? { Canvas: class {}, Image: class {}, ImageData: class {}, createCanvas: () => ({}) }
  : name === "jsdom" ? { JSDOM: class { constructor() { this.window = { document: {} }; } } }
  : load(name, ...rest);
const path = require("path");
const Scanner = require(path.join(path.resolve(process.argv[2]), "src", "jscanify-node.js"));
const scanner = new Scanner();
let held = Buffer.alloc(0);

function answer(cv, width, height, data) {
  const img = cv.matFromImageData({ width, height, data });
  const before = process.cpuUsage();
  const contour = scanner.findPaperContour(img);
  const corners = contour ? scanner.getCornerPoints(contour, img) : null;
  const used = process.cpuUsage(before);
  img.delete();
  const order = ["topLeftCorner", "topRightCorner", "bottomRightCorner", "bottomLeftCorner"];
  const whole = corners && order.every((name) => corners[name]);
  process.stdout.write(JSON.stringify({
    corners: whole ? order.map((name) => [corners[name].x, corners[name].y]) : null,
    ms: (used.user + used.system) / 1000,
  }) + "\n");
}

scanner.loadOpenCV((cv) => {
  cv = cv || globalThis.cv;
  process.stdout.write('"ready"\n');
  process.stdin.on("data", (chunk) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 8) {
      const [width, height] = [held.readUInt32LE(0), held.readUInt32LE(4)];
      const size = 8 + width * height * 4;
      if (held.length < size) return;
      const frame = new Uint8ClampedArray(held.subarray(8, size));
      held = held.subarray(size);
      answer(cv, width, height, frame);
    }
  });
  process.stdin.on("end", () => process.exit(0));
});
