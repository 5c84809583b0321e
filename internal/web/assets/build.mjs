// Bundles the pages' style sheet and script into dist/, named by their content, with a manifest that the server reads.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dist = new URL('dist/', import.meta.url);
mkdirSync(dist, { recursive: true });
for (const f of readdirSync(dist)) if (f !== '.gitkeep') rmSync(new URL(f, dist), { recursive: true });

const out = await build({
  entryPoints: { site: 'src/site.css', app: 'src/app.js' }, bundle: true, minify: true, write: false, outdir: 'out', target: ['es2022', 'chrome120', 'firefox121', 'safari17.5'],
  loader: { '.svg': 'file' }, legalComments: 'none', logLevel: 'warning', absWorkingDir: new URL('.', import.meta.url).pathname,
});
const files = out.outputFiles.map((f) => [f.path.split('/').pop(), Buffer.from(f.contents)]);
for (const f of files) if (f[0] === 'site.css') f[0] = 'app.css';
for (const name of ['icons.svg', 'mark.svg']) files.push([name, readFileSync(new URL('src/' + name, import.meta.url))]);
const manifest = {};
for (const [name, bytes] of files) {
  const dot = name.lastIndexOf('.'), hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const named = `${name.slice(0, dot)}-${hash}${name.slice(dot)}`;
  // Only compressed: the plain style sheet alone would add 0.7 MB to the program.
  writeFileSync(new URL(named + '.gz', dist), gzipSync(bytes, { level: 9 }));
  writeFileSync(new URL(named + '.br', dist), brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }));
  manifest[name] = named;
}
writeFileSync(new URL('manifest.json', dist), JSON.stringify(manifest, null, 1) + '\n');
