/* The transforms of Winograd F(4x4, 3x3) and F(4x4, 2x2): 4 x 4 outputs of kernels of 3 x 3 or 2 x
 * 2 taps from `side` x `side` products, side = 6 or 5. Element (i, j) of a transform lies at (side
 * * i + j) * step. */
#ifndef SCP_KERNELS_WINOGRAD_H
#define SCP_KERNELS_WINOGRAD_H

#include <stddef.h>

struct scp_winograd_kernels {
    /* v = B^T d B for a row of tiles, v_tile floats apart, whose inputs begin 4 pixels apart at in.
     * channels % 16 == 0; scratch: 16 * side * (4 * tiles + side - 4) floats. */
    void (*input)(float *v, size_t v_step, size_t v_tile, const float *in, size_t pixel,
                  size_t line, size_t tiles, size_t channels, float *scratch);
    /* The first rows x columns of start + A^T m A, 16 channels; start NULL: added to out. */
    void (*output)(float *out, size_t pixel, size_t line, size_t rows, size_t columns,
                   const float *m, size_t m_step, const float *start);
    /* w = A dy A^T of 4 x 4 pixels, 16 channels: the adjoint of output. */
    void (*gradient)(float *w, size_t w_step, const float *dy, size_t pixel, size_t line);
    /* u = G g G^T for `count` vectors; element (i, j) of g lies at i * g_row + j * g_step. */
    void (*weights)(float *u, size_t u_step, const float *g, size_t g_row, size_t g_step,
                    size_t count);
    /* g = G^T u G: its adjoint, one vector. */
    void (*collect)(float *g, size_t g_row, size_t g_step, const float *u, size_t u_step);
};

#endif
