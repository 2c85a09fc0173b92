"""The filters that come with the package, each registered like anybody's."""
