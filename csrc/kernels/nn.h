/* The leaf kernels of the networks, one table per instruction set (as kernels.h). These use fused
 * multiply-add: sets agree to float32 rounding, not to the bit. Vectors are 16 floats; "panels"
 * hold 16 columns of a matrix, row after row. */
#ifndef SCP_NN_KERNELS_H
#define SCP_NN_KERNELS_H

#include <stddef.h>

#include "passes.h"

/* Lines of the cache that somebody will read soon: runs of lines that lie `step` floats apart. */
#define SCP_ASK_RUNS 32
struct scp_ask {
    struct {
        const float *at;
        size_t step, count;
    } run[SCP_ASK_RUNS];
    size_t runs, lines; /* lines: in all */
};

/* The sum index of gemm: `count` runs of `length` steps; run s begins at a + offsets[s]. The panels
 * of 16 columns: floats from one to the next in b and in c. ask, if not NULL: lines that the
 * product asks for on its way, some every four steps. */
struct scp_gemm_form {
    const size_t *offsets;
    size_t count, length;
    size_t panels, b_panel, c_panel;
    const struct scp_ask *ask;
};

struct scp_nn_kernels {
    /* ---- gemm_body.h: c[p * c_panel + i * c_row + j] = start[16 p + j] + sum_k A[i][k]
     * b[p * b_panel + k * 16 + j] for p < panels, i < rows and j < 16, with A[i][k] =
     * a[i * a_row + offset + k * a_step] over the runs; a_row or a_step is 1. start NULL: the sum
     * is added to c. Every element is one chain of sums over ascending k. ---- */
    void (*gemm)(float *c, size_t c_row, const float *a, size_t a_row, size_t a_step, size_t rows,
                 const float *b, const struct scp_gemm_form *form, const float *start);

    /* ---- maps_body.h: `count` pixels of `channels` floats (a multiple of 16) from in (in_pixel
     * floats apart) to out (out_pixel apart). ---- */
    void (*copy)(float *out, size_t out_pixel, const float *in, size_t in_pixel, size_t count,
                 size_t channels);
    void (*pending)(float *out, size_t out_pixel, const float *in, size_t in_pixel, size_t count,
                    size_t channels, const struct scp_pending_row *row);
    void (*pull)(float *out, size_t out_pixel, const float *in, size_t in_pixel, const float *raw,
                 size_t raw_pixel, size_t count, size_t channels, const struct scp_pull_row *row);
    /* sum[j] += in[i * 16 + j] over count vectors. */
    void (*add)(float *sum, const float *in, size_t count);
    /* A square turned: to[16 i + j] = from[line j + i], i, j < 16. */
    void (*turn)(float *to, const float *from, size_t line);

    /* ---- winograd_body.h: the transforms of F(4x4, 3x3). Element (i, j) of a 6 x 6 transform lies
     * at (6 i + j) * step. ---- */

    /* v = B^T d B for a row of tiles, v_tile floats apart, whose inputs begin 4 pixels apart at in.
     * channels % 16 == 0; scratch: 96 * (4 * tiles + 2) floats. */
    void (*winograd_input)(float *v, size_t v_step, size_t v_tile, const float *in, size_t pixel,
                           size_t line, size_t tiles, size_t channels, float *scratch);
    /* The first rows x columns of start + A^T m A, 16 channels; start NULL: added to out. */
    void (*winograd_output)(float *out, size_t pixel, size_t line, size_t rows, size_t columns,
                            const float *m, size_t m_step, const float *start);
    /* w = A dy A^T of 4 x 4 pixels, 16 channels: the adjoint of output. */
    void (*winograd_gradient)(float *w, size_t w_step, const float *dy, size_t pixel, size_t line);
    /* u = G g G^T for `count` vectors; element (i, j) of g lies at (3 i + j) * g_step. */
    void (*winograd_weights)(float *u, size_t u_step, const float *g, size_t g_step, size_t count);
    /* g = G^T u G: its adjoint, one vector. */
    void (*winograd_collect)(float *g, size_t g_step, const float *u, size_t u_step);

    struct scp_pass_kernels passes; /* passes_body.h */
};

const struct scp_nn_kernels *scp_nn_kernels(void);

extern const struct scp_nn_kernels scp_nn_kernels_portable;
#if defined(__x86_64__)
extern const struct scp_nn_kernels scp_nn_kernels_avx2;
extern const struct scp_nn_kernels scp_nn_kernels_avx512;
#elif defined(__aarch64__)
extern const struct scp_nn_kernels scp_nn_kernels_neon;
#endif

#endif
