#include "scp/cpu.h"
#include "train.h"

const struct scp_train_kernels *scp_train_kernels(void) {
    switch (scp_isa()) {
#if defined(__x86_64__)
    case SCP_ISA_AVX2:
        return &scp_train_kernels_avx2;
    case SCP_ISA_AVX512:
        return &scp_train_kernels_avx512;
#elif defined(__aarch64__)
    case SCP_ISA_NEON:
        return &scp_train_kernels_neon;
#endif
    default:
        return &scp_train_kernels_portable;
    }
}
