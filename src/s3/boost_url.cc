// Boost.URL is compiled here: Debian's package of headers has no library of it.
#include <boost/url/src.hpp>
