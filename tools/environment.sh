# Sourced by the tools: where things are, which programs are meant, how stages are timed.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# Debian's own programs, whatever else this machine puts in front of them.
export PATH="/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"

# The compiler cache finds an object again in another checkout and after the clock of a file changed.
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$root}
export CCACHE_NOHASHDIR=1
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime

jobs=${KISEKI_JOBS:-$(nproc)}
results=$root/build/results
stages=$results/stages

# stage NAME COMMAND…: runs it, notes name and seconds, passes its exit code on.
stage() {
  local name=$1 began=$SECONDS code=0
  shift
  printf '\n== %s\n' "$name"
  "$@" || code=$?
  mkdir -p "$results"
  printf '%s\t%s\t%s\n' "$name" "$((SECONDS - began))" "$code" >>"$stages"
  return "$code"
}

# Configures a preset when it is not yet; ninja configures again by itself when a CMake file changes.
configure() {
  [ -f "build/$1/build.ninja" ] || cmake --preset "$1" >"build/$1.configure.log" 2>&1 || {
    cat "build/$1.configure.log" >&2
    return 1
  }
}

# build PRESET [TARGET…]
build() {
  local preset=$1
  shift
  mkdir -p build
  configure "$preset" && ninja -C "build/$preset" -j "$jobs" "$@"
}
