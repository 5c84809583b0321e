// Makes an SBOM (CycloneDX), on standard input, the same for each run: without serial number, time and the tool's own hashes; in order.
let text = '';
for await (const chunk of process.stdin) text += chunk;
const bom = JSON.parse(text);
delete bom.serialNumber;
delete bom.metadata.timestamp;
for (const tool of bom.metadata.tools?.components ?? bom.metadata.tools ?? []) delete tool.hashes;
const by = (key) => (a, b) => (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0);
bom.components?.sort(by('bom-ref'));
for (const d of bom.dependencies ?? []) d.dependsOn?.sort();
bom.dependencies?.sort(by('ref'));
process.stdout.write(JSON.stringify(bom, null, 2) + '\n');
