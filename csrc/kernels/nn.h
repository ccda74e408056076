/* The leaf kernels of the networks, one table per instruction set (as kernels.h). These use fused
 * multiply-add: sets agree to float32 rounding, not to the bit. Vectors are 16 floats; "panels"
 * hold 16 columns of a matrix, row after row. */
#ifndef SCP_NN_KERNELS_H
#define SCP_NN_KERNELS_H

#include <stddef.h>

/* The sum index of gemm: `count` runs of `length` steps; run s begins at a + offsets[s]. */
struct scp_gemm_runs {
    const size_t *offsets;
    size_t count, length;
};

/* Coefficients of 16 channels and more, as in nn/map.h. */
struct scp_pending_row {
    const float *scale, *shift, *slope;
};
struct scp_pull_row {
    struct scp_pending_row pending;
    const float *a, *b, *c; /* a NULL: dx = scale * g */
};

struct scp_nn_kernels {
    /* ---- gemm_body.h: c[i * c_row + j] = start[j] + sum_k A[i][k] b[k * 16 + j] for i < rows and
     * j < 16, with A[i][k] = a[i * a_row + offset + k * a_step] over the runs. start NULL: the sum
     * is added to c. Every element is one chain of sums over ascending k. ---- */
    void (*gemm)(float *c, size_t c_row, const float *a, size_t a_row, size_t a_step, size_t rows,
                 const float *b, const struct scp_gemm_runs *runs, const float *start);

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
