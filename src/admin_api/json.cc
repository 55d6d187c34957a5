// Boost.JSON's own definitions, compiled here once: the distribution's package of headers is enough.
#include <boost/json/src.hpp>
