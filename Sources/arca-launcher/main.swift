import ArcaTEE
import Glibc

exit(Int32(Launch.run()))
