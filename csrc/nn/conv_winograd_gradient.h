/* A gradient of weights by Winograd, where scp_winograd_pays (conv_winograd.h). */
#ifndef SCP_NN_CONV_WINOGRAD_GRADIENT_H
#define SCP_NN_CONV_WINOGRAD_GRADIENT_H

#include "conv_gradient.h"

size_t scp_gradient_winograd_workspace(const struct scp_gradient *gradient, size_t threads);
enum scp_status scp_gradient_winograd(const struct scp_gradient *gradient,
                                      const struct scp_run *run);

#endif
