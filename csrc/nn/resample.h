/* Passes between maps of different size: pooling, bilinear resizing, the global average. */
#ifndef SCP_NN_RESAMPLE_H
#define SCP_NN_RESAMPLE_H

#include "pass.h"

/* Floats of workspace that these passes need, and those of upsample.h, of the larger map; and what
 * each thread has of it. */
size_t scp_resample_workspace(const struct scp_map *large, size_t threads);
size_t scp_resample_scratch(const struct scp_map *large);

/* Max pooling, 2 x 2 at stride 2. */
void scp_pass_pool(const struct scp_pass *pass, struct scp_line at);
void scp_pass_pool_backward(const struct scp_pass *pass, struct scp_line at);

/* Average pooling, factor x factor at stride factor. */
void scp_pass_average(const struct scp_pass *pass, struct scp_line at);
void scp_pass_average_backward(const struct scp_pass *pass, struct scp_line at);

/* Bilinear, to the size of out. Without `align` borders are replicated. */
void scp_pass_resize(const struct scp_pass *pass, struct scp_line at);
void scp_pass_resize_backward(const struct scp_pass *pass, struct scp_line at);

/* out[b][1][1] = mean over the pixels of z(in); and back. */
void scp_pass_mean(const struct scp_pass *pass, struct scp_line at);
void scp_pass_mean_backward(const struct scp_pass *pass, struct scp_line at);

#endif
