#pragma once
/* __AVX2__ in a comment
   is allowed. */ #if defined(__AVX2__)
#endif
