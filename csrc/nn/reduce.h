/* Passes that sum over the pixels of a map. */
#ifndef SCP_NN_REDUCE_H
#define SCP_NN_REDUCE_H

#include "map.h"

/* Floats of workspace that these passes need for a map. */
size_t scp_reduce_workspace(const struct scp_map *map);

/* Mean and variance (divided by n) of every channel over each image (per_image) or over the batch,
 * [sets][stride] doubles each. */
enum scp_status scp_pass_moments(double *mean, double *variance, const struct scp_map *in,
                                 int per_image, const struct scp_run *run);
/* sum = sum of g, product = sum of g * (raw - centre[c]), g the gradient after the activation; sets
 * as above. centre: per channel, as far from image to image as the coefficients. */
enum scp_status scp_pass_backward_sums(double *sum, double *product, const float *centre,
                                       const struct scp_source *gradient, int per_image,
                                       const struct scp_run *run);

#endif
