/* Upsampling by a whole factor: a transposed convolution with a fixed kernel, zeros outside. */
#ifndef SCP_NN_UPSAMPLE_H
#define SCP_NN_UPSAMPLE_H

#include "pass.h"

/* Workspace as scp_resample_workspace. */
void scp_pass_upsample(const struct scp_pass *pass, struct scp_line at);
void scp_pass_upsample_backward(const struct scp_pass *pass, struct scp_line at);

#endif
