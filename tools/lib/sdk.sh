# shellcheck shell=bash
# Brings Microsoft's MXC SDKs, and the Node that they want, for tests/compat: third_party/sdk, by npm. Sourced after packages.sh.

# Every user must be able to read them, so they don't lie in anybody's home.
MXC_SDKS=/usr/src/mxc/sdk

_sdk_lock() { sha256sum <"$MXC_TOP/third_party/sdk/package-lock.json" | cut -d' ' -f1; }

# Makes $MXC_SDKS/node_modules what the lock file says; returns 1 with a message when it can't.
fetch_sdks() {
  local dir status=0
  [ "$(cat "$MXC_SDKS/.lock" 2>/dev/null)" = "$(_sdk_lock)" ] && return 0
  if ! have npm; then
    note "Microsoft's SDKs need npm, which is not installed"
    return 1
  fi
  if ! as_root true 2>/dev/null; then
    note "Microsoft's SDKs go to $MXC_SDKS, which needs root or sudo"
    return 1
  fi
  note "fetching Microsoft's SDKs and a Node for them, 500 MB, once"
  dir=$(mktemp -d /var/tmp/mxc-sdk.XXXXXX)
  cp "$MXC_TOP"/third_party/sdk/package*.json "$dir"
  # No script of theirs runs; the checksums are the lock file's.
  if ! (cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --cache "$dir/cache" >"$dir/log" 2>&1); then
    note "npm could not bring Microsoft's SDKs: $(grep -m 1 'npm error' "$dir/log" || tail -n 1 "$dir/log")"
    status=1
  else
    _sdk_lock >"$dir/.lock"
    rm -rf "$dir/cache"
    chmod -R go=u-w "$dir"
    as_root mkdir -p "${MXC_SDKS%/*}" && as_root rm -rf "$MXC_SDKS" && as_root mv "$dir" "$MXC_SDKS" || status=1
  fi
  rm -rf "$dir"
  return "$status"
}
