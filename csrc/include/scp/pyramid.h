/* From the maps a network gives to the features that are matched (scp/grid.h). */
#ifndef SCP_PYRAMID_H
#define SCP_PYRAMID_H

#include <stddef.h>

#include "scp/status.h"
#include "scp/threads.h"

/* features[cells][width]: the vectors map[i * stride .. + channels], divided by their length and
 * filled up with zeros to `width` floats; norms[cells]: the lengths. A vector shorter than 1e-30
 * counts as zero. Lengths are sums in double, in one order.
 * SCP_EINVAL unless channels <= stride and channels <= width, or a length is not finite. */
enum scp_status scp_pyramid_pack(float *features, float *norms, const float *map, size_t cells,
                                 size_t channels, size_t stride, size_t width,
                                 const struct scp_control *control);

#endif
