"""Shops: orders, customers, products, carts and promotions. None can be filtered by time: all is read whole."""

from __future__ import annotations

from shared.streams import Parent

from ..defaults import stream, without

IN_STORE = Parent(stream="ecommerce_stores", keys={"store_id": "id"})

ECOMMERCE_STREAMS = (
    stream(
        name="ecommerce_stores",
        description="Connected shops",
        path="/ecommerce/stores",
        records="stores",
        sparse=without("stores"),
    ),
    stream(
        name="ecommerce_orders",
        description="Orders of all shops",
        path="/ecommerce/orders",  # one walk for all shops; the rows know theirs
        records="orders",
        sparse=without("orders", links=("customer", "lines")),
        key_properties=("store_id", "id"),
    ),
    stream(
        name="ecommerce_customers",
        description="Customers of each shop",
        path="/ecommerce/stores/{store_id}/customers",
        records="customers",
        sparse=without("customers"),
        parent=IN_STORE,
        key_properties=("store_id", "id"),
        cost="1 request per 1000 customers of each shop",
    ),
    stream(
        name="ecommerce_products",
        description="Products of each shop, with variants and images",
        path="/ecommerce/stores/{store_id}/products",
        records="products",
        sparse=without("products", links=("images", "variants")),
        parent=IN_STORE,
        key_properties=("store_id", "id"),
        cost="1 request per 1000 products of each shop",
    ),
    stream(
        name="ecommerce_carts",
        description="Carts of each shop",
        path="/ecommerce/stores/{store_id}/carts",
        records="carts",
        sparse=without("carts", links=("customer", "lines")),
        parent=IN_STORE,
        key_properties=("store_id", "id"),
        cost="1 request per 1000 carts of each shop",
    ),
    stream(
        name="ecommerce_promo_rules",
        description="Promotions of each shop",
        path="/ecommerce/stores/{store_id}/promo-rules",
        records="promo_rules",
        sparse=without("promo_rules"),
        parent=IN_STORE,
        key_properties=("store_id", "id"),
        identity=("id",),
        selected=False,
        cost="1 request per shop",
    ),
    stream(
        name="ecommerce_promo_codes",
        description="Codes of each promotion",
        path="/ecommerce/stores/{store_id}/promo-rules/{promo_rule_id}/promo-codes",
        records="promo_codes",
        sparse=without("promo_codes"),
        parent=Parent(stream="ecommerce_promo_rules", keys={"store_id": "store_id", "promo_rule_id": "id"}),
        key_properties=("store_id", "promo_rule_id", "id"),
        identity=("id",),
        selected=False,
        cost="1 request per promotion, and per 1000 codes of it",
    ),
)
