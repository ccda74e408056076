/* The leaf kernels, one table per instruction set. Kernels return nothing, cannot fail and never
 * allocate. Bodies are written once over f32x16 (simd/), in one *_body.h file per family, and
 * compiled once per set by <isa>.c. All sets give the same bits, but for the families of the
 * networks (gemm, maps, winograd, passes) and of vectors (affinity), whose fused multiply-adds
 * agree to float32 rounding. */
#ifndef SCP_KERNELS_H
#define SCP_KERNELS_H

#include "affinity.h"
#include "coverage.h"
#include "dots.h"
#include "gemm.h"
#include "maps.h"
#include "objective.h"
#include "passes.h"
#include "plane.h"
#include "tree.h"
#include "winograd.h"

struct scp_kernels {
    const char *name; /* of the set, as in scp/cpu.h */
    struct scp_dots_kernels dots;
    struct scp_coverage_kernels coverage;
    struct scp_tree_kernels tree;
    struct scp_objective_kernels objective;
    struct scp_gemm_kernels gemm;
    struct scp_maps_kernels maps;
    struct scp_winograd_kernels winograd[2]; /* of three taps, of two */
    struct scp_passes_kernels passes;
    struct scp_plane_kernels plane;
    struct scp_affinity_kernels affinity;
};

/* The table of the instruction set in use (scp/cpu.h). */
const struct scp_kernels *scp_kernels(void);

extern const struct scp_kernels scp_kernels_portable;
#if defined(__x86_64__)
extern const struct scp_kernels scp_kernels_avx2;
extern const struct scp_kernels scp_kernels_avx512;
extern const struct scp_kernels scp_kernels_avx512vnni; /* avx512 with VNNI, for the tree */
#elif defined(__aarch64__)
extern const struct scp_kernels scp_kernels_neon;
#endif

#endif
