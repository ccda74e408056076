#!/usr/bin/env bash
# Builds the core without Python and runs every tests/c/test_*.c against it.
#
#     tests/c/run.sh [plain|asan|tsan|neon]     default: plain
#
# plain: -O2, warnings as errors. asan: AddressSanitizer, UndefinedBehaviorSanitizer and the leak
# check. tsan: ThreadSanitizer. neon: cross-compiled to 64-bit ARM and run under qemu.
# CC chooses another compiler, SCP_JOBS the number of compilers at once, TESTS the names to run
# (TESTS="base threads").
set -euo pipefail
cd "$(dirname "$0")/../.."

mode=${1:-plain}
jobs=${SCP_JOBS:-$(getconf _NPROCESSORS_ONLN)}
cc=${CC:-cc}
run=()
flags=(-std=c11 -ffp-contract=off -Icsrc/include -g -fno-omit-frame-pointer
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
    -Wpointer-arith -Wcast-align -Wundef -Wvla -Wwrite-strings -Werror)
case $mode in
plain) flags+=(-O2) ;;
asan)
    flags+=(-O1 -fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all)
    # No detect_stack_use_after_return: with it, AVX-512 code of GCC 12 crashes on vectors that lie
    # in the fake stack.
    export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
    ;;
tsan)
    flags+=(-O1 -fsanitize=thread -DSCP_TEST_LONELY_CHILD)
    export TSAN_OPTIONS=halt_on_error=1:die_after_fork=0
    ;;
neon)
    cc=${CC:-aarch64-linux-gnu-gcc}
    flags+=(-O2 -DSCP_TEST_LONELY_CHILD)
    run=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
    ;;
*)
    sed -n '4s/^# *//p' "$0" >&2
    exit 2
    ;;
esac

out=build/c-$mode
mkdir -p "$out"
export compile="$cc ${flags[*]}"
# Objects depend on everything: the compiler, the flags and all headers.
stamp=$({ echo "$compile" && $cc --version &&
    find csrc tests/c -name '*.h' -print0 | sort -z | xargs -0 cat; } | cksum)
[ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] || rm -f "$out"/*.o
echo "$stamp" >"$out/stamp"

core=() tests=() stale=()
for source in csrc/*/*.c tests/c/test_*.c; do
    case $source in csrc/python/* | csrc/testing/*) continue ;; esac
    object=$out/${source//\//-}.o
    case $source in csrc/*) core+=("$object") ;; *) tests+=("$object") ;; esac
    [ "$object" -nt "$source" ] || stale+=("$source" "$object")
done
if [ ${#stale[@]} -gt 0 ]; then
    # shellcheck disable=SC2016 # the inner shell expands it
    printf '%s\n' "${stale[@]}" |
        xargs -n 2 -P "$jobs" sh -c '$compile -c "$0" -o "$1" || { rm -f "$1"; exit 255; }'
fi

for name in ${TESTS:-}; do
    [ -f "tests/c/test_$name.c" ] || { echo "TESTS: no tests/c/test_$name.c" >&2 && exit 2; }
done
failed=0
for object in "${tests[@]}"; do
    name=$(basename "${object#*test_}" .c.o)
    program=$out/test_$name
    [ -z "${TESTS:-}" ] || case " $TESTS " in *" $name "*) ;; *) continue ;; esac
    $compile "$object" "${core[@]}" -o "$program" -lm -pthread
    printf '%s %s: ' "$mode" "$name"
    "${run[@]}" "$program" || { failed=1 && echo "FAILED: $program"; }
done
exit $failed
