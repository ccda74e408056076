/* What the files of passes share. */
#ifndef SCP_NN_PASS_ROWS_H
#define SCP_NN_PASS_ROWS_H

#include "../kernels/nn.h"
#include "passes.h"

#define SCP_CHUNK 512 /* pixels whose float32 sums go into one float64 */

static inline size_t scp_pass_chunks(const struct scp_map *map) { /* of an image */
    return (map->height * map->width + SCP_CHUNK - 1) / SCP_CHUNK;
}
static inline float *scp_map_row(const struct scp_map *map, size_t image, size_t y) {
    return map->data + (image * map->height + y) * map->width * map->stride;
}
/* The coefficients of one image from channel `first` on. */
static inline struct scp_pending_row scp_pass_of_image(const struct scp_pending *p, size_t image,
                                                       size_t first) {
    const size_t at = image * p->image_step + first;
    return (struct scp_pending_row){p->scale + at, p->shift + at, p->slope + at};
}

/* The pending transform, or the identity written to 3 * lanes floats of workspace. */
struct scp_pending scp_pass_identity(float *workspace, const struct scp_pending *pending,
                                     size_t channels);

#endif
