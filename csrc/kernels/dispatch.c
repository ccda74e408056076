#include "kernels.h"
#include "nn.h"
#include "tree.h"
#include "scp/cpu.h"

const struct scp_kernels *scp_kernels(void) {
    switch (scp_isa()) {
#if defined(__x86_64__)
    case SCP_ISA_AVX2:
        return &scp_kernels_avx2;
    case SCP_ISA_AVX512:
        return &scp_kernels_avx512;
#elif defined(__aarch64__)
    case SCP_ISA_NEON:
        return &scp_kernels_neon;
#endif
    default:
        return &scp_kernels_portable;
    }
}

const struct scp_nn_kernels *scp_nn_kernels(void) {
    switch (scp_isa()) {
#if defined(__x86_64__)
    case SCP_ISA_AVX2:
        return &scp_nn_kernels_avx2;
    case SCP_ISA_AVX512:
        return &scp_nn_kernels_avx512;
#elif defined(__aarch64__)
    case SCP_ISA_NEON:
        return &scp_nn_kernels_neon;
#endif
    default:
        return &scp_nn_kernels_portable;
    }
}

const struct scp_tree_kernels *scp_tree_kernels(void) {
    switch (scp_isa()) {
#if defined(__x86_64__)
    case SCP_ISA_AVX2:
        return &scp_tree_kernels_avx2;
    case SCP_ISA_AVX512:
        return __builtin_cpu_supports("avx512vnni") ? &scp_tree_kernels_avx512vnni
                                                    : &scp_tree_kernels_avx512;
#elif defined(__aarch64__)
    case SCP_ISA_NEON:
        return &scp_tree_kernels_neon;
#endif
    default:
        return &scp_tree_kernels_portable;
    }
}
