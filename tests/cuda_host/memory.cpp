#include "memory.h"

#include <cstdlib>
#include <map>

#include "cuda_host.h"

namespace cuda_host {

std::map<char *, Region> allocations; /* by first byte */

Region *find_region(const void *p) {
    auto next = allocations.upper_bound((char *)p);
    if (next == allocations.begin()) return nullptr;
    Region &r = std::prev(next)->second;
    return (char *)p <= r.base + r.bytes ? &r : nullptr;
}

void Region::range(const void *p, size_t size) const {
    if ((char *)p < base || (char *)p + size > base + bytes)
        fail("device memory: a copy reaches out of its allocation");
}

void Region::check(const void *p, size_t size, bool write) {
    const size_t at = (size_t)((char *)p - base);
    if (shared)
        for (size_t word = at / 4; word <= (at + size - 1) / 4; word++) race(word, write);
    if (write) {
        memset(&written[at], 1, size);
        return;
    }
    for (size_t i = 0; i < size; i++)
        if (!written[at + i])
            fail(std::string(shared ? "shared" : "device") +
                 " memory: a read of what nobody wrote, at byte " + std::to_string(at + i));
}

} // namespace cuda_host
