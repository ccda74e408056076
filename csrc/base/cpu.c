/* Instruction sets: detection, and the one in use. */
#include "scp/cpu.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

static const char *const names[SCP_ISA_COUNT] = {"portable", "avx2", "avx512", "neon"};
static atomic_int chosen = -1;

const char *scp_isa_name(enum scp_isa isa) {
    return (unsigned)isa < SCP_ISA_COUNT ? names[isa] : NULL;
}

int scp_isa_available(enum scp_isa isa) {
    switch (isa) {
    case SCP_ISA_PORTABLE:
        return 1;
#if defined(__x86_64__)
    /* The compiler's test includes what the operating system saves (XGETBV). */
    case SCP_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case SCP_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#elif defined(__aarch64__)
    case SCP_ISA_NEON:
        return 1;
#endif
    default:
        return 0;
    }
}

static enum scp_isa best(void) {
    for (int isa = (int)SCP_ISA_COUNT - 1; isa > 0; isa--)
        if (scp_isa_available((enum scp_isa)isa)) return (enum scp_isa)isa;
    return SCP_ISA_PORTABLE;
}

enum scp_isa scp_isa(void) {
    int isa = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (isa < 0) { /* unless somebody chose meanwhile */
        const int found = (int)best();
        if (atomic_compare_exchange_strong(&chosen, &isa, found)) isa = found;
    }
    return (enum scp_isa)isa;
}

enum scp_status scp_isa_set(const char *name) {
    if (!name) {
        atomic_store(&chosen, (int)best());
        return SCP_OK;
    }
    for (int isa = 0; isa < (int)SCP_ISA_COUNT; isa++) {
        if (strcmp(name, names[isa]) != 0) continue;
        if (!scp_isa_available((enum scp_isa)isa)) return SCP_EUNSUPPORTED;
        atomic_store(&chosen, isa);
        return SCP_OK;
    }
    return SCP_EINVAL;
}
