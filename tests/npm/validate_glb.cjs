// Prints the Khronos validator's report on the GLB file given as argument, as JSON.
const fs = require("fs");
const validator = require("gltf-validator");

validator
  .validateBytes(new Uint8Array(fs.readFileSync(process.argv[2])), { maxIssues: 0 })
  .then((report) => console.log(JSON.stringify(report)));
