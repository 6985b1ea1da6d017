#!/usr/bin/env bash
# Feeds every parser of foreign bytes with bytes that no program would print, made by libFuzzer from real ones.
#
#   scripts/fuzz.sh                        each target of fuzz/fuzz_targets for 20 s
#   scripts/fuzz.sh 300 lexer redactor     these two for 300 s each
#   scripts/fuzz.sh --list                 the targets
#
# Needs stable Rust, a C++ compiler (for libFuzzer, which comes as a crate) and jq. The seeds are cut from
# evidence/samples and the runbook. All that is made stands in target/fuzz: build/, seeds/TARGET, corpus/TARGET (inputs
# that reached something new, from which the next run goes on) and artifacts/ (inputs that failed).
# FUZZ_SEED makes the random numbers the same each time; without it they are others.
# Exit 0: nothing was found. 1: an input made a target fail, its path is in the last lines. 2: usage, or not built.
set -euo pipefail

say() { printf '%s\n' "$@" >&2; }
refuse() {
  say "$@"
  exit 2
}

cd -- "$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
all=(fuzz/fuzz_targets/*.rs)
all=("${all[@]##*/}")
all=("${all[@]%.rs}")

case ${1-} in
--help | -h)
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
  exit 0
  ;;
--list)
  printf '%s\n' "${all[@]}"
  exit 0
  ;;
esac
seconds=20
if [[ ${1-} =~ ^[1-9][0-9]*$ ]]; then
  seconds=$1
  shift
fi
targets=("$@")
((${#targets[@]} > 0)) || targets=("${all[@]}")
for target in "${targets[@]}"; do
  [[ -f fuzz/fuzz_targets/$target.rs ]] || refuse "Refused: \"$target\" is not a target. There are:" "${all[@]}"
done

for program in cargo c++ jq; do
  command -v "$program" >/dev/null || refuse "Refused: $program is not on PATH (c++: apt-get install g++)."
done
work=$(cargo metadata --format-version 1 --no-deps | jq -r .target_directory)/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')

# What `cargo fuzz` does, less the sanitizers, which only an unstable Rust has: this program has no unsafe code. With
# --target the build scripts are left as they are.
instrument=(
  -Cpasses=sancov-module
  -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares
  --cfg fuzzing
)
RUSTFLAGS="${instrument[*]}" cargo build --manifest-path fuzz/Cargo.toml --release --locked --target "$host" \
  --target-dir "$work/build" || refuse "Refused: the targets could not be built (above)."

# Each makes seeds in the current directory of the seeds, $seeds.
whole() { # FILE…
  local file
  for file in "$@"; do cp -- "$file" "$seeds/${file//\//_}"; done
}
by_line() { # reads lines
  sort -u | awk -v seeds="$seeds" '{ file = seeds "/line" NR; print > file; close(file) }'
}
make_seeds() { # TARGET
  local samples=evidence/samples sample
  case $1 in
  curl) whole "$samples"/*/smoke/out/*.err ;;
  http) whole "$samples"/*/smoke/{responses/*.http,out/gate.*.out} ;;
  inputs) jq -r '.target | [.context, .namespace, .base_url, "123456789012", .aws_region, .image_tag] | join("\n")' \
    "$samples/pass/manifest.json" >"$seeds/target" ;;
  journal)
    # Whole ones would be slow: of each, the first event of a kind and of a kind of command.
    for sample in "$samples"/*/; do
      jq -cs 'unique_by([.event, (.id // "" | split(".")[0])]) | sort_by(.seq)[]' "$sample/journal.jsonl" \
        >"$seeds/$(basename -- "$sample")"
    done
    cat -- "$samples"/*/journal.jsonl | by_line
    ;;
  kubectl_json)
    whole "$samples"/*/preflight/out/{server,version.kubectl,whoami}.out "$samples"/*/deploy/out/confirm.pod.out
    jq -c '.items[]' "$samples"/*/deploy/out/objects.after.out | by_line
    jq -c '.items |= map(select(.kind | IN("Service", "EndpointSlice")))' "$samples/pass/deploy/out/objects.after.out" \
      >"$seeds/services"
    printf '%s\n' '{"cluster":"c","namespace":"n","user":"u"}' 'https://u:p@10.0.0.1:6443/x' >"$seeds/context"
    ;;
  kubectl_text)
    whole "$samples"/*/deploy/std*.log "$samples"/*/preflight/out/{guard.*,can-i.*,version.curl,version.jq}.out \
      "$samples"/*/preflight/out/server.err
    ;;
  lexer)
    jq -r '.commands[].text' "$samples"/*/manifest.json | by_line
    awk -v seeds="$seeds" '/^```/ { block = seeds "/block" ++n; next } { if (n % 2) print > block }' src/runbook/RUNBOOK.md
    ;;
  manifest_json) whole "$samples"/*/manifest.json ;;
  manifest_text) whole "$samples"/*/inputs/k8s/*.yaml "$samples"/*/preflight/out/render.*.out ;;
  pod_table) whole "$samples"/*/deploy/{out/{watch,list}.pods.out,status_*.txt} ;;
  printable)
    whole "$samples"/*/dump_logs/app_logs_tail.txt
    printf 'a\x1b[31mb\x7f\r\n\u202e\u2028\u009b\tc' >"$seeds/hostile"
    ;;
  runbook)
    whole src/runbook/RUNBOOK.md
    ;;
  redactor)
    whole "$samples"/pass/smoke/responses/*.http
    printf 'a\xff\x00b\xff\x0d\xff\x07' >"$seeds/forms"
    ;;
  *) ;; # from nothing
  esac
}

failed=0
for target in "${targets[@]}"; do
  seeds=$work/seeds/$target corpus=$work/corpus/$target log=$work/$target.log
  rm -rf -- "$seeds"
  mkdir -p -- "$seeds" "$corpus" "$work/artifacts"
  shopt -s nullglob
  make_seeds "$target"
  shopt -u nullglob
  status=0
  "$work/build/$host/release/$target" -max_total_time="$seconds" -max_len=65536 -timeout=120 -seed="${FUZZ_SEED:-0}" -rss_limit_mb=2048 \
    -dict=fuzz/words.dict -print_final_stats=1 -artifact_prefix="$work/artifacts/$target-" "$corpus" "$seeds" >"$log" 2>&1 || status=$?
  tried=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  if ((status == 0)); then
    printf '%-14s %9d inputs in %d s\n' "$target" "${tried:-0}" "$seconds"
    continue
  fi
  failed=1
  grep -A 8 -m 1 'panicked at' "$log" || tail -n 20 "$log"
  artifact=$(sed -n "s|.*Test unit written to ||p" "$log" | tail -n 1)
  printf '%-14s %9d inputs, and this one failed: %s\n' "$target" "${tried:-0}" "${artifact:-none was kept, see $log}"
  printf 'Again: %q %q\n' "$work/build/$host/release/$target" "${artifact:-}"
  break
done
exit "$failed"
