/* Passes over whole maps: everything in a network that is not a convolution. Each runs on the pool;
 * tasks are rows or chunks of pixels given by the shapes alone. A `pending` with scale NULL is the
 * identity; `accumulate` adds to the output instead of overwriting it. Padded lanes of an output
 * stay zero because those of the inputs are. */
#ifndef SCP_NN_PASSES_H
#define SCP_NN_PASSES_H

#include <stdint.h>

#include "map.h"
#include "scp/status.h"
#include "scp/threads.h"

/* Floats of workspace that any pass needs whose larger map is this one. */
size_t scp_pass_workspace(const struct scp_map *map, size_t threads);

/* out = z(in). The only pass that takes an input with a dense stride. */
enum scp_status scp_pass_finish(const struct scp_map *out, const struct scp_map *in,
                                const struct scp_pending *pending, float *workspace,
                                const struct scp_control *control);
/* In place: grad (of z) becomes the gradient of the raw values. */
enum scp_status scp_pass_settle(const struct scp_map *grad, const struct scp_pull *pull,
                                const struct scp_control *control);
/* out (+)= weight * in. */
enum scp_status scp_pass_add(const struct scp_map *out, int accumulate, const struct scp_map *in,
                             float weight, const struct scp_control *control);
/* out = 0 in the channels from `first` on and in the padding. */
enum scp_status scp_pass_zero(const struct scp_map *out, size_t first,
                              const struct scp_control *control);

/* Mean and variance (divided by n) of every channel over each image (per_image) or over the batch,
 * [sets][stride] doubles each. */
enum scp_status scp_pass_moments(double *mean, double *variance, const struct scp_map *in,
                                 int per_image, float *workspace,
                                 const struct scp_control *control);
/* sum = sum of g, product = sum of g * (raw - centre[c]), g the gradient after the activation; sets
 * as above. centre: per channel, centre_step floats from image to image. */
enum scp_status scp_pass_pull_sums(double *sum, double *product, const float *centre,
                                   size_t centre_step, const struct scp_map *grad,
                                   const struct scp_pull *pull, int per_image, float *workspace,
                                   const struct scp_control *control);

enum scp_status scp_pass_pool(const struct scp_map *out, const struct scp_map *in,
                              const struct scp_pending *pending, float *workspace,
                              const struct scp_control *control);
enum scp_status scp_pass_pool_pull(const struct scp_map *in_grad, int accumulate,
                                   const struct scp_map *out_grad, const struct scp_map *in,
                                   const struct scp_pending *pending, float *workspace,
                                   const struct scp_control *control);

/* Bilinear, to the size of out. align: corners fall on corners; else pixel areas match, borders
 * replicated. */
enum scp_status scp_pass_resize(const struct scp_map *out, const struct scp_map *in,
                                const struct scp_pending *pending, int align, float *workspace,
                                const struct scp_control *control);
enum scp_status scp_pass_resize_pull(const struct scp_map *in_grad, int accumulate,
                                     const struct scp_map *out_grad, int align, float *workspace,
                                     const struct scp_control *control);

/* out[b][1][1] = mean over the pixels of z(in); and back. */
enum scp_status scp_pass_mean(const struct scp_map *out, const struct scp_map *in,
                              const struct scp_pending *pending, float *workspace,
                              const struct scp_control *control);
enum scp_status scp_pass_mean_pull(const struct scp_map *in_grad, int accumulate,
                                   const struct scp_map *out_grad,
                                   const struct scp_control *control);

enum scp_curve { SCP_SIGMOID, SCP_TANH };
enum scp_status scp_pass_curve(const struct scp_map *out, const struct scp_map *in,
                               const struct scp_pending *pending, enum scp_curve curve,
                               float *workspace, const struct scp_control *control);
/* From the values out of the curve itself. */
enum scp_status scp_pass_curve_pull(const struct scp_map *in_grad, int accumulate,
                                    const struct scp_map *out_grad, const struct scp_map *out,
                                    enum scp_curve curve, const struct scp_control *control);

/* Zeroes a share `rate` of the values and scales the others by 1 / (1 - rate), the same ones for
 * the same (seed, stream): forward with the values, backward with gradients. */
enum scp_status scp_pass_dropout(const struct scp_map *out, int accumulate,
                                 const struct scp_map *in, const struct scp_pending *pending,
                                 float rate, uint64_t seed, uint64_t stream, float *workspace,
                                 const struct scp_control *control);

#endif
