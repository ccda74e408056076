/* Chooses the kernels of the instruction set in use. */
#include "kernels.h"
#include "scp/cpu.h"

const struct scp_kernels *scp_kernels(void) {
    switch (scp_isa()) {
#if defined(__x86_64__)
    case SCP_ISA_AVX512:
        return __builtin_cpu_supports("avx512vnni") ? &scp_kernels_avx512vnni : &scp_kernels_avx512;
    case SCP_ISA_AVX2:
        return &scp_kernels_avx2;
#elif defined(__aarch64__)
    case SCP_ISA_NEON:
        return &scp_kernels_neon;
#endif
    default:
        return &scp_kernels_portable;
    }
}
