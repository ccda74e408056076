/* Convolution of maps: forward, and the gradients with respect to data and weights.
 *
 *     y[b][i][j][o] = bias[o] + sum_{u,v,c} w[u][v][c][o] z[b][i*stride + u*dilation - pad_y]
 *                                                             [j*stride + v*dilation - pad_x][c]
 * with zeros outside z. Weights are [kernel_y][kernel_x][in][out]. Where it pays, 3 x 3 kernels
 * with stride and dilation 1 run as Winograd F(4x4, 3x3) (Lavin and Gray, CVPR 2016), 4 x 4 kernels
 * with stride 2 and 2 x 2 ones with stride 1 as F(4x4, 2x2); everything else runs as implicit GEMM.
 * All end in the one packed GEMM of the kernel table.
 *
 * Products are float32. The order of every sum depends on the shapes only, so results are the same
 * bits at any number of threads. */
#ifndef SCP_NN_CONV_H
#define SCP_NN_CONV_H

#include "map.h"

struct scp_conv {
    size_t in, out; /* channels */
    size_t kernel_y, kernel_x, stride, dilation, pad_y, pad_x;
    int transposed; /* the adjoint in data: (H - 1) * stride - 2 pad + dilation * (kernel - 1) + 1
                     * rows; weights are [kernel_y][kernel_x][in][out] all the same */
};

/* Height and width of the output; 0 where the kernel does not fit. */
void scp_conv_size(size_t *height, size_t *width, const struct scp_conv *conv, size_t in_height,
                   size_t in_width);

/* Floats of the weights. */
static inline size_t scp_conv_weights(const struct scp_conv *conv) {
    return conv->kernel_y * conv->kernel_x * conv->in * conv->out;
}

/* Floats of workspace that the calls below need for maps of this size (the largest of the three
 * when `train`, else of forward), with that number of threads. SIZE_MAX when it overflows. */
size_t scp_conv_workspace(const struct scp_conv *conv, size_t batch, size_t in_height,
                          size_t in_width, int train, size_t threads);

/* y = conv(z(x)) + bias. bias[out] may be NULL. Writes all scp_lanes_up(out) floats of y's pixels
 * where y.stride >= that. */
enum scp_status scp_conv_forward(const struct scp_map *y, const struct scp_source *x,
                                 const float *weights, const float *bias,
                                 const struct scp_conv *conv, const struct scp_run *run);

/* dz (gradient at the input after its norm and activation) = or += conv^T(dy). */
enum scp_status scp_conv_backward_data(const struct scp_map *dz, int accumulate,
                                       const struct scp_source *dy, const float *weights,
                                       const struct scp_conv *conv, const struct scp_run *run);

/* weight_grads += and bias_grads[out] += (NULL: no bias). */
enum scp_status scp_conv_backward_weights(float *weight_grads, float *bias_grads,
                                          const struct scp_source *x, const struct scp_source *dy,
                                          const struct scp_conv *conv, const struct scp_run *run);

#endif
