/* The matrix product of the convolutions. "Panels" hold 16 columns of a matrix, row after row. */
#ifndef SCP_KERNELS_GEMM_H
#define SCP_KERNELS_GEMM_H

#include <stddef.h>

/* The sum index: `count` runs of `length` terms; run s begins at a + offsets[s]. Row i of A and C
 * lies i * a_row and i * c_row floats further, term k k * a_step; a_row or a_step is 1. Panels of
 * 16 columns lie b_panel and c_panel floats apart. */
struct scp_gemm_form {
    const size_t *offsets;
    size_t count, length;
    size_t a_row, a_step;
    size_t panels, b_panel;
    size_t c_row, c_panel;
};

struct scp_gemm_kernels {
    /* c[p * c_panel + i * c_row + j] = start[16 p + j] + sum_k A[i][k] b[p * b_panel + k * 16 + j]
     * for p < panels, i < rows and j < 16. start NULL: the sum is added to c. Every element is one
     * chain of sums over ascending k. */
    void (*multiply)(float *c, const float *a, size_t rows, const float *b,
                     const struct scp_gemm_form *form, const float *start);
};

#endif
