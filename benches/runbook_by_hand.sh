#!/usr/bin/env bash
# The runbook by hand: its steps 1 to 5 as its document writes them, one after another, and the files of its evidence
# checklist. This is what the tool is compared with. Run it in a directory that holds k8s/, with the runbook's inputs set;
# the evidence lands in evidence/staging/YYYYMMDD. `kubectl config use-context` changes the kubeconfig, as by hand.
#
#   ROLLOUT_TIMEOUT=5m benches/runbook_by_hand.sh
#
# Exit 0: no stop rule. 1: one of them.
set -Eeuo pipefail
: "${STAGING_CONTEXT:?}" "${STAGING_NAMESPACE:?}" "${STAGING_BASE_URL:?}" "${AWS_ACCOUNT_ID:?}" "${IMAGE_TAG:=latest}"
timeout=${ROLLOUT_TIMEOUT:-5m}

evidence=evidence/staging/$(date +%Y%m%d)
mkdir -p "$evidence"/{preflight,deploy,smoke}
exec 3>&1 4>&2

stop() { # WHY: the runbook's Action on STOP
  trap - ERR
  exec >&3 2>&4
  printf 'STOP: %s\n' "$1" >&2
  mkdir -p "$evidence/dump_logs"
  {
    kubectl --context="$STAGING_CONTEXT" describe deployment -n "$STAGING_NAMESPACE"
    kubectl --context="$STAGING_CONTEXT" describe pod -n "$STAGING_NAMESPACE"
  } >"$evidence/dump_logs/k8s_describe.txt" 2>&1 || true
  kubectl --context="$STAGING_CONTEXT" get events -n "$STAGING_NAMESPACE" --sort-by='.lastTimestamp' \
    >"$evidence/dump_logs/k8s_events.txt" 2>&1 || true
  local app
  for app in dpp-api dpp-worker dpp-reaper; do
    kubectl --context="$STAGING_CONTEXT" logs -l app="$app" -n "$STAGING_NAMESPACE" --tail=200 || true
  done >"$evidence/dump_logs/app_logs_tail.txt" 2>&1
  manifest false 0
  exit 1
}
trap 'stop "line $LINENO: $BASH_COMMAND"' ERR

manifest() { # DEPLOY-OK CHECKS-PASSED
  jq -n --arg utc "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --arg context "$STAGING_CONTEXT" --arg tag "$IMAGE_TAG" \
    --arg namespace "$STAGING_NAMESPACE" --arg url "$STAGING_BASE_URL" --argjson ok "$1" --argjson passed "$2" \
    --argjson seconds "$((SECONDS - deploy_started))" --arg dir "$evidence" \
    '{date_utc: $utc, mechanism: "k8s", target: {context: $context, namespace: $namespace, base_url: $url, image_tag: $tag},
      deploy: {ok: $ok, duration_sec: $seconds}, smoke: {ok: ($passed == 10), checks_passed: $passed, checks_total: 10},
      rollback: {ok: null, method: "not executed", duration_sec: null}, artifacts: {evidence_dir: $dir}}' \
    >"$evidence/manifest.json"
}
deploy_started=$SECONDS

# 1. Preflight check
kubectl --context="$STAGING_CONTEXT" get namespaces >/dev/null
kubectl --context="$STAGING_CONTEXT" get namespace "$STAGING_NAMESPACE" >/dev/null
kubectl --context="$STAGING_CONTEXT" get deploy,po,svc -n "$STAGING_NAMESPACE" -o wide >"$evidence/deploy/status_before.txt"
{
  git rev-parse HEAD 2>/dev/null || echo "no git commit"
  kubectl version --client
  printf '%s\n' "$STAGING_CONTEXT"
} >"$evidence/preflight/versions.txt"
printf '%s\n' "Context: $STAGING_CONTEXT" "Namespace: $STAGING_NAMESPACE" "Base URL: $STAGING_BASE_URL" \
  "Image Tag: $IMAGE_TAG" "AWS Account: $AWS_ACCOUNT_ID" >"$evidence/preflight/target.txt"

# 2. Deploy to staging, 3. Wait for rollout
exec >"$evidence/deploy/stdout.log" 2>"$evidence/deploy/stderr.log"
kubectl config use-context "$STAGING_CONTEXT"
for app in api worker reaper; do
  # shellcheck disable=SC2002 # the runbook's own words
  cat k8s/$app-deployment.yaml |
    sed "s/\${AWS_ACCOUNT_ID}/${AWS_ACCOUNT_ID}/g" |
    sed "s/\${IMAGE_TAG}/${IMAGE_TAG}/g" |
    kubectl apply -f -
done
for app in api worker reaper; do
  kubectl rollout status deployment/dpp-$app -n "$STAGING_NAMESPACE" --timeout="$timeout"
done
exec >&3 2>&4
sed -n '/^# 2/,/^exec >&3/p' "${BASH_SOURCE[0]}" >"$evidence/deploy/cmd.txt"

# 4. Capture post-deploy state
kubectl --context="$STAGING_CONTEXT" get deploy,po,svc -n "$STAGING_NAMESPACE" -o wide >"$evidence/deploy/status_after.txt"
if grep -Ew 'CrashLoopBackOff|Error' "$evidence/deploy/status_after.txt"; then stop "a pod in CrashLoopBackOff or Error"; fi

# 5. Smoke tests
check() { # NAME URL EXPECTED [CURL-ARGUMENT…]: one line of results
  local name=$1 url=$2 expected=$3 status started=${EPOCHREALTIME/./} pass=false
  shift 3
  status=$(curl -s -o /dev/null -w '%{http_code}' -m 10 "$@" "$url") || true
  if [[ $status == "$expected" ]]; then pass=true; fi
  printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$url" $pass "$status" "$(((${EPOCHREALTIME/./} - started) / 1000))"
}
gate() { # PATH: stop rule 3, asked once a second for two minutes
  local until=$((SECONDS + 120))
  until curl -sf -o /dev/null -m 10 "$STAGING_BASE_URL$1"; do
    if ((SECONDS >= until)); then stop "$1 is not 200 after 2 minutes"; fi
    sleep 1
  done
}
gate /health
gate /readyz
smoke_started=${EPOCHREALTIME/./}
{
  for path in /health /readyz /.well-known/openapi.json /llms.txt /api-docs /redoc; do
    check "GET $path" "$STAGING_BASE_URL$path" 200
  done
  check "GET /metrics" "${STAGING_METRICS_URL:-$STAGING_BASE_URL}/metrics" 200
  for path in /pricing/ssot.json /docs/quickstart.md; do check "GET $path" "$STAGING_BASE_URL$path" 200; done
  if [[ -n ${STAGING_API_KEY-} ]]; then
    check "GET /v1/runs" "$STAGING_BASE_URL/v1/runs" 200 -H @<(printf 'Authorization: Bearer %s\n' "$STAGING_API_KEY")
  else
    check "GET /v1/runs (unauthenticated)" "$STAGING_BASE_URL/v1/runs" 401
  fi
} >"$evidence/smoke/results.tsv"
printf '%s\n' "$(((${EPOCHREALTIME/./} - smoke_started) / 1000))" >"$evidence/smoke/ten_checks_ms"
jq -R -n '{checks: [inputs | split("\t") | {name: .[0], url: .[1], pass: (.[2] == "true"), http_status: .[3],
  latency_ms: (.[4] | tonumber)}]}' "$evidence/smoke/results.tsv" >"$evidence/smoke/results.json"
sed -n '/^# 5/,/^jq -R/p' "${BASH_SOURCE[0]}" >"$evidence/smoke/cmd.txt"
for path in /health /readyz /.well-known/openapi.json; do
  printf '=== GET %s\n' "$path"
  curl -s -i -m 10 "$STAGING_BASE_URL$path" || true
  echo
done >"$evidence/smoke/http_samples.log"

passed=$(jq '[.checks[] | select(.pass)] | length' "$evidence/smoke/results.json")
if ((passed < 8)); then stop "smoke tests: $passed of 10, fewer than 8"; fi
manifest true "$passed"
printf 'Smoke: %s/10 PASS\nEvidence: %s\nManifest: %s\n' "$passed" "$PWD/$evidence" "$PWD/$evidence/manifest.json"
